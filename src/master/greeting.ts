// The first words of a worker session: who may come in, and what is answered (D1 has let the socket in).

import type { State } from "../core/state.ts";
import { limits } from "../protocol/limits.ts";
import { protocolVersion, protocolVersionMin } from "../protocol/messages.ts";
import type { MasterRefuse, MasterWelcome, WorkerHello } from "../protocol/messages.ts";
import type { LoopIdentity } from "./loop-ports.ts";

/** Why this worker can never work here; undefined when it can. */
export function refusalOf(hello: WorkerHello, journalId: string): MasterRefuse | undefined {
  const [min, max] = hello.protocol;
  if (max < protocolVersionMin || min > protocolVersion) {
    const own = `${protocolVersionMin} to ${protocolVersion}`;
    const what = `Worker ${hello.id} (${hello.version}) speaks ${min} to ${max}, this master ${own}.`;
    const message = `${what} Upgrade the older side.`;
    return { kind: "refuse", code: "protocol_version", message };
  }
  if (hello.journalId !== null && hello.journalId !== journalId) {
    const what = `Worker ${hello.id} works for cluster ${hello.journalId}, this is ${journalId}.`;
    const message = `${what} Give it a data directory of its own.`;
    return { kind: "refuse", code: "foreign_journal", message };
  }
  return undefined;
}

export interface Greeter {
  readonly identity: LoopIdentity;
  readonly version: string;
  readonly journalId: string;
  /** Addresses of all masters that are known, this one's perhaps among them. */
  readonly masters: readonly string[];
  /** W4; the default unless set. */
  readonly lostAfterMs?: number | undefined;
}

export function welcome(hello: WorkerHello, greeter: Greeter): MasterWelcome {
  const { identity, version, journalId, masters, lostAfterMs = limits.lostAfterMs } = greeter;
  return {
    kind: "welcome",
    protocol: Math.min(hello.protocol[1], protocolVersion),
    version,
    journalId,
    master: { id: identity.id, incarnation: identity.incarnation },
    masters: [...new Set([...identity.addresses, ...masters])],
    suspectAfterMs: limits.suspectAfterMs,
    lostAfterMs,
  };
}

/** Where the masters of a cluster are, as far as the journal says. */
export function addressesOf(state: State): string[] {
  return [...state.masters.values()].flatMap(({ addresses }) => addresses);
}

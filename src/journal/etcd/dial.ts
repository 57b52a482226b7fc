// Finding the member to talk to: all endpoints are dialled at once and asked for their status.
//
// D1  The leader is preferred: a member that is not would pass every call on to it.
// D2  A silent endpoint holds nobody up: the others' answers count after `patienceMs`.
// D3  All endpoints belong to one etcd cluster. Two are a halt: what one acknowledges, the other lacks.

import type { SecureContextOptions } from "node:tls";
import { delay } from "../../lib/abort.ts";
import { asError } from "../../lib/as-error.ts";
import type { Clock } from "../../lib/clock.ts";
import { JournalHalt } from "../halt.ts";
import { EngineUnavailable } from "../unavailable.ts";
import { EtcdConnection } from "./connection.ts";
import type { Status } from "./messages.ts";

export interface DialOptions {
  readonly endpoints: readonly string[];
  readonly tls: SecureContextOptions | undefined;
  readonly clock: Clock;
  /** Hex; whichever answers first unless given. */
  readonly clusterId: string | undefined;
  /** Asks a member for its status; rejects if it does not answer in time. */
  readonly ask: (connection: EtcdConnection) => Promise<Status>;
  /** Waits for every endpoint, to see them all once. */
  readonly all?: boolean;
}

export interface Answered {
  readonly connection: EtcdConnection;
  readonly status: Status;
}

export interface Trouble {
  readonly endpoint: string;
  readonly error: Error;
}

export interface Dialled extends Answered {
  /** Of all that had answered by then, this one included. */
  readonly answered: readonly Answered[];
  readonly troubles: readonly Trouble[];
}

const patienceMs = 150;

/** Rejects with `EngineUnavailable` if no endpoint has a leader, with a halt if D3 is broken. */
export async function dial(options: DialOptions): Promise<Dialled> {
  const search = new Search(options);
  try {
    const chosen = await search.run();
    search.closeAllBut(chosen.connection);
    return chosen;
  } catch (error) {
    search.closeAllBut(undefined);
    throw error;
  }
}

class Search {
  readonly #options: DialOptions;
  readonly #connections: EtcdConnection[];
  readonly #answered: Answered[] = [];
  readonly #troubles: Trouble[] = [];

  constructor(options: DialOptions) {
    const { endpoints, tls, clock } = options;
    this.#options = options;
    this.#connections = endpoints.map((endpoint) => new EtcdConnection({ endpoint, tls, clock }));
  }

  async run(): Promise<Dialled> {
    const { all = false } = this.#options;
    let first: (() => void) | undefined;
    let leader: (() => void) | undefined;
    const firstAnswered = new Promise<void>((resolve) => (first = resolve));
    const leaderAnswered = new Promise<void>((resolve) => (leader = resolve));
    const everyone = Promise.all(
      this.#connections.map(async (connection) => {
        await this.#ask(connection);
        const usable = this.#usable();
        if (usable.length > 0) first?.();
        if (usable.some(leads)) leader?.();
      }),
    );
    const enough = firstAnswered.then(() => delay(patienceMs));
    await (all ? everyone : Promise.race([everyone, leaderAnswered, enough]));
    this.#checkOneCluster();
    const usable = this.#usable();
    const chosen = usable.find(leads) ?? usable[0];
    if (!chosen) throw nobody(this.#answered, this.#troubles);
    return { ...chosen, answered: [...this.#answered], troubles: [...this.#troubles] };
  }

  closeAllBut(kept: EtcdConnection | undefined): void {
    for (const connection of this.#connections) {
      if (connection !== kept) connection.destroy(new Error("another member answered first"));
    }
  }

  async #ask(connection: EtcdConnection): Promise<void> {
    try {
      this.#answered.push({ connection, status: await this.#options.ask(connection) });
    } catch (error) {
      this.#troubles.push({ endpoint: connection.endpoint, error: asError(error) });
    }
  }

  #usable(): Answered[] {
    return this.#answered.filter(({ status, connection }) => {
      return connection.isOpen && status.leader !== noLeader && !status.isLearner;
    });
  }

  #checkOneCluster(): void {
    const [first] = this.#answered;
    const wanted = this.#options.clusterId ?? first?.status.header.clusterId;
    for (const { connection, status } of this.#answered) {
      const { clusterId } = status.header;
      if (wanted !== clusterId)
        throw foreignCluster(connection.endpoint, String(wanted), clusterId);
    }
  }
}

export const noLeader = "0";
/** There is one, but etcd does not tell this user who. */
export const hiddenLeader = "hidden";

const leads = ({ status }: Answered): boolean => status.leader === status.header.memberId;

function nobody(answered: readonly Answered[], troubles: readonly Trouble[]): EngineUnavailable {
  const without = answered.map(({ connection }) => `${connection.endpoint}: knows no leader`);
  const reasons = [...troubles.map(({ error }) => error.message), ...without];
  const errors = troubles.map(({ error }) => error);
  const cause = new AggregateError(errors, "none of the endpoints can be used");
  return new EngineUnavailable(`no member of etcd can be used: ${reasons.join("; ")}`, { cause });
}

export function foreignCluster(endpoint: string, wanted: string, found: string): JournalHalt {
  return new JournalHalt("foreign_journal", {
    what: `${endpoint} belongs to etcd cluster ${found}, not to ${wanted} as before`,
    why: "what one cluster acknowledges is not in the other",
    todo:
      "Name endpoints of one etcd cluster only. If it was restored from a backup, make sure that " +
      "no acknowledged work is lost with it, then restart",
  });
}

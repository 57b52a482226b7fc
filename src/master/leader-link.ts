// A standby's connection to the leader of the last applied `elected` (L4): dialled again for as long as that
// one is the leader of the state, and the source of evidence that it is gone (rule 2 of the protocol of masters).
//
//   K1. Evidence is only: after a connection to this very process was cut, every address of it refuses, or another
//       process answers there; or it says itself that it has applied its term and does not lead in it. A dial
//       that gets no answer is none: the process may be stopped, or the network slow.
//   K2. Evidence is told once a term. Dialling goes on, since the one who judges it may know better.
//   K3. Silence cuts the connection like a reset, and is no evidence by itself.

import type { Leader } from "../core/state.ts";
import type { CancelTimer } from "../lib/clock.ts";
import { limits } from "../protocol/limits.ts";
import type {
  FromStandby,
  PeerFetch,
  PeerStanding,
  PeerWelcome,
  ToStandby,
} from "../protocol/peer-messages.ts";
import { peerProtocol } from "../protocol/peer-messages.ts";
import { compareClocks, identityOf } from "./peer-ports.ts";
import type { DialEnd, PeerConnection, PeersPorts } from "./peer-ports.ts";

/** One dial, and what came of it. */
interface Call {
  readonly address: string;
  connection: PeerConnection<FromStandby> | null;
  /** The other side's first word; null before it. */
  welcome: PeerWelcome | null;
  heardAt: number;
  saidAt: number;
  said: PeerStanding | null;
  cancelDeadline: CancelTimer;
}

const delayMsMin = 25;
const delayMsMax = 500;
const lookAgainMs = 10;
/** Refused in words: they will be the same for a while. */
const refusedDelayMs = 5_000;

export class LeaderLink {
  readonly #ports: PeersPorts;
  #leader: Leader | null = null;
  #call: Call | null = null;
  #cancelRetry: CancelTimer = () => {};
  /** A connection to this very process was open once. */
  #stood = false;
  /** Dials in a row that led nowhere. */
  #failures = 0;
  /** Addresses that refused, one after the other. */
  readonly #refusing = new Set<string>();
  #goneTerm = 0;
  #cutAt = -Infinity;
  #refusedWords = "";

  constructor(ports: PeersPorts) {
    this.#ports = ports;
  }

  followed(leader: Leader | null): void {
    const before = this.#leader;
    this.#leader = leader?.id === this.#ports.identity.id ? null : leader;
    if (isSameProcess(before, this.#leader)) return this.#judge(this.#call?.welcome ?? null);
    this.#leave("this master follows another");
    this.#stood = false;
    this.#failures = 0;
    this.#refusing.clear();
    if (this.#leader) this.#dial();
  }

  /** Ms since the connection to the leader was cut, and has not been made anew; Infinity otherwise. */
  cutMs(): number {
    return this.#ports.clock.now() - this.#cutAt;
  }

  heardMs(): number {
    const call = this.#call;
    return call?.welcome ? this.#ports.clock.now() - call.heardAt : Infinity;
  }

  tick(stall: number): void {
    const call = this.#call;
    if (!call?.welcome) return;
    call.heardAt += stall;
    const now = this.#ports.clock.now();
    if (now - call.heardAt > limits.suspectAfterMs) {
      const reason = "the leader was silent";
      call.connection?.close(reason);
      this.#ended(call, { how: "cut", reason });
      return;
    }
    this.#stand(call);
  }

  stop(reason: string): void {
    this.#leader = null;
    this.#leave(reason);
  }

  #leave(reason: string): void {
    this.#cancelRetry();
    const call = this.#call;
    this.#call = null;
    call?.cancelDeadline();
    if (call?.welcome) call.connection?.send([{ kind: "goodbye", reason }]);
    call?.connection?.close(reason);
  }

  // ── dialling ───────────────────────────────────────────────────────────────────────────

  #dial(): void {
    const addresses = this.#leader?.addresses ?? [];
    const address = addresses[this.#failures % addresses.length];
    if (address === undefined) return;
    const { clock } = this.#ports;
    const call: Call = {
      address,
      connection: null,
      welcome: null,
      heardAt: clock.now(),
      saidAt: 0,
      said: null,
      cancelDeadline: () => {},
    };
    this.#call = call;
    call.connection = this.#ports.dial(address, {
      opened: () => this.#opened(call),
      received: (messages) => this.#received(call, messages),
      ended: (end) => this.#ended(call, end),
    });
    // A leader under load may need longer than what tells most about one that has died.
    const waitMs = this.#failures < 2 ? limits.peerDialMs : limits.suspectAfterMs;
    call.cancelDeadline = clock.after(waitMs, () => {
      const reason = "no welcome came";
      call.connection?.close(reason);
      this.#ended(call, { how: "failed", reason });
    });
  }

  #opened(call: Call): void {
    if (this.#call !== call) return;
    const { addresses } = this.#ports.identity;
    const protocol = [peerProtocol.min, peerProtocol.max] as const;
    const hello = { kind: "hello", protocol, ...identityOf(this.#ports), addresses } as const;
    call.connection?.send([{ ...hello, addresses: [...addresses] }]);
  }

  #ended(call: Call, { how, reason }: DialEnd): void {
    if (this.#call !== call) return;
    this.#call = null;
    call.cancelDeadline();
    if (call.welcome) {
      this.#cutAt = this.#ports.clock.now();
      this.#ports.log.info("the connection to the leader was cut", { reason });
      this.#failures = 0;
      this.#refusing.clear();
      return this.#dial();
    }
    this.#failures++;
    if (how === "refused") this.#refused(call.address);
    this.#retry(Math.min(delayMsMax, delayMsMin * 2 ** Math.min(this.#failures - 1, 8)));
  }

  #retry(delayMs: number): void {
    if (!this.#leader) return; // it was let go while evidence was told
    this.#cancelRetry();
    this.#cancelRetry = this.#ports.clock.after(delayMs, () => {
      if (this.#call === null) this.#dial();
    });
  }

  // ── evidence (K1) ──────────────────────────────────────────────────────────────────────

  #refused(address: string): void {
    this.#refusing.add(address);
    if (this.#stood && this.#leader?.addresses.every((each) => this.#refusing.has(each))) {
      this.#gone("its port refuses");
    }
  }

  #judge(welcome: PeerWelcome | null): void {
    if (!welcome || !this.#leader || welcome.leads) return;
    // Before its term is applied it cannot know that it leads; and what is past it stands in the journal.
    if (welcome.term === this.#leader.term) this.#gone("it does not lead");
  }

  #gone(why: string): void {
    const term = this.#leader?.term ?? 0;
    if (term <= this.#goneTerm) return; // K2
    this.#goneTerm = term;
    this.#ports.log.info("the leader is gone", { leader: this.#leader?.id, term, why });
    this.#ports.onLeaderGone(term);
  }

  // ── what the leader says ───────────────────────────────────────────────────────────────

  #received(call: Call, messages: readonly ToStandby[]): void {
    if (this.#call !== call) return;
    call.heardAt = this.#ports.clock.now();
    for (const message of messages) {
      if (this.#call !== call) return; // a message before it ended this
      this.#take(call, message);
    }
  }

  #take(call: Call, message: ToStandby): void {
    switch (message.kind) {
      case "welcome":
        return this.#welcomed(call, message);
      case "appended":
        return this.#ports.onBell(message.index);
      case "fetch":
        return this.#fetch(call, message);
      case "whoHears": {
        const workers = this.#ports.heard(message.workers);
        return call.connection?.send([{ kind: "hears", ask: message.ask, workers }]);
      }
      case "refuse":
        return this.#turnedAway(call, message.code, message.message);
      case "goodbye":
        call.connection?.close(message.reason);
        return this.#ended(call, { how: "cut", reason: message.reason });
      default:
        message satisfies never;
    }
  }

  #welcomed(call: Call, welcome: PeerWelcome): void {
    const { journalId } = this.#ports;
    if (welcome.journalId !== journalId) {
      const what = `The master at ${call.address} works for cluster ${welcome.journalId}`;
      return this.#turnedAway(call, "foreign_journal", `${what}, this one for ${journalId}.`);
    }
    if (!isSameProcess(welcome, this.#leader)) return this.#answeredByAnother(call, welcome);
    const isFirst = call.welcome === null;
    call.welcome = welcome;
    this.#cutAt = -Infinity;
    call.cancelDeadline();
    this.#stood = true;
    this.#failures = 0;
    this.#refusing.clear();
    this.#refusedWords = "";
    if (isFirst) {
      compareClocks(this.#ports, welcome);
      this.#ports.log.debug("connected to the leader", { leader: welcome.id, term: welcome.term });
      this.#stand(call);
    }
    this.#judge(welcome);
  }

  #answeredByAnother(call: Call, welcome: PeerWelcome): void {
    const reason = `another process answers: ${welcome.id} ${welcome.incarnation}`;
    // A later life of the leader proves that the one before has ended; any other process may just be behind an
    // address that means something else from here.
    const isProof = this.#stood || welcome.id === this.#leader?.id;
    call.connection?.close(reason);
    this.#ended(call, { how: "failed", reason });
    if (isProof) this.#gone(reason);
  }

  #turnedAway(call: Call, code: string, message: string): void {
    call.connection?.close(message);
    this.#ended(call, { how: "failed", reason: message });
    this.#retry(refusedDelayMs);
    if (this.#refusedWords === message) return;
    this.#refusedWords = message;
    this.#ports.onRefused(code, message);
  }

  #fetch(call: Call, message: PeerFetch): void {
    if (this.#call !== call) return;
    if (this.#ports.standing().applied < message.after) {
      // Soon: the bell of that batch has rung, or will.
      this.#ports.clock.after(lookAgainMs, () => this.#fetch(call, message));
      return;
    }
    for (const hash of message.hashes) {
      this.#ports.fetch(hash, call.address, (ok) => {
        if (!ok || this.#call !== call) return;
        const { applied } = this.#ports.standing();
        call.connection?.send([{ kind: "have", hashes: [hash], applied }]);
      });
    }
  }

  /** Says what this master has: when it has changed, and as a sign of life. */
  #stand(call: Call): void {
    const now = this.#ports.clock.now();
    const standing: PeerStanding = { kind: "standing", ...this.#ports.standing() };
    const isNews = call.said === null || !isSameStanding(call.said, standing);
    if (!isNews && now - call.saidAt < limits.peerBeatMs) return;
    call.said = standing;
    call.saidAt = now;
    call.connection?.send([standing]);
  }
}

interface Process {
  readonly id: string;
  readonly incarnation: string;
}

function isSameProcess(one: Process | null, other: Process | null): boolean {
  return one?.id === other?.id && one?.incarnation === other?.incarnation;
}

function isSameStanding(one: PeerStanding, other: PeerStanding): boolean {
  return (
    one.applied === other.applied &&
    one.watermark === other.watermark &&
    one.snapshot === other.snapshot &&
    one.doubts === other.doubts
  );
}

// Reports on their way to the leader that is listened to.
//
// Owns: which report goes when on which session. Does not own: reports (reports.ts), the bytes that they name
// (results.ts), who leads (agent.ts).
//
//   O1. On a session reports go in the order of their numbers, each once and without a gap, behind the
//       registration or inside it.
//   O2. None goes before the leader of this very session has the payloads that it names, or they are lost
//       here too (A1): those behind it wait, and the registration names their attempts as held.
//   O3. A registration loses the incarnation before this one, so it waits for what that one's reports name,
//       but not long: what follows later is a late success (K5).

import type { CancelTimer, Clock } from "../lib/clock.ts";
import { limits } from "../protocol/limits.ts";
import type { WorkerMessage, WorkerRegister, WorkerReport } from "../protocol/messages.ts";
import { reportBytes, type Reports } from "./reports.ts";
import type { ResultKeeper } from "./results.ts";
import type { SessionNumber } from "./session.ts";

export interface OutboxOptions {
  readonly clock: Clock;
  readonly reports: Reports;
  readonly results: ResultKeeper;
  readonly send: (session: SessionNumber, messages: readonly WorkerMessage[]) => void;
  /** The registration as of now; `behind`: numbers of the reports that follow it. */
  readonly compose: (inside: readonly WorkerReport[], behind: readonly number[]) => WorkerRegister;
  /** It has gone: the session may hear more. */
  readonly registered: () => void;
}

/** Reports inside a registration; the rest follows in frames of their own. */
const registerBytesMax = limits.frameBytesMax / 2;
const inheritedWaitMs = 5_000;

export class Outbox {
  readonly #o: OutboxOptions;
  #session: SessionNumber | undefined;
  #isRegistered = false;
  /** Reports up to this one went on this session. */
  #sent = 0;
  /** What reports up to this one name was asked for. */
  #asked = 0;
  #cancelWait: CancelTimer | undefined;

  constructor(options: OutboxOptions) {
    this.#o = options;
  }

  /** The session on which this worker has registered. */
  get registered(): SessionNumber | undefined {
    return this.#isRegistered ? this.#session : undefined;
  }

  /** Of all that is not recorded: reports, and what they name. */
  get bytes(): number {
    return this.#o.reports.bytes + this.#o.results.bytes;
  }

  /** Nothing new is started (W6). What was ordered waits here: large results come and go. */
  get full(): boolean {
    return this.#o.reports.full || this.bytes > 0.8 * limits.spoolBytesMax;
  }

  /** Listens to a leader from now on, and registers with it. */
  begin(session: SessionNumber): void {
    this.end();
    const { clock, reports, results } = this.#o;
    reports.flush();
    this.#session = session;
    results.begin(session);
    this.#bring();
    if (this.#isInheritedHad) return this.#register(session);
    this.#cancelWait = clock.after(inheritedWaitMs, () => this.#register(session));
  }

  end(): void {
    this.#cancelWait?.();
    this.#session = undefined;
    this.#isRegistered = false;
    this.#sent = 0;
    this.#asked = 0;
    this.#o.results.end();
  }

  /** Sends what may go. To be called whenever there are new reports, or some were recorded. */
  flush(): void {
    const { reports, results, send } = this.#o;
    if (this.#session === undefined) return;
    this.#bring();
    if (!this.#isRegistered) {
      if (this.#isInheritedHad) this.#register(this.#session);
      return;
    }
    const ready: WorkerReport[] = [];
    for (const { report, hashes } of reports.after(this.#sent)) {
      if (!results.areHad(hashes)) break;
      ready.push(report);
      this.#sent = report.n;
    }
    if (ready.length > 0) send(this.#session, ready);
  }

  get #isInheritedHad(): boolean {
    const { reports, results } = this.#o;
    return reports.after(0).every(({ inherited, hashes }) => !inherited || results.areHad(hashes));
  }

  #bring(): void {
    const { reports, results } = this.#o;
    for (const { report, hashes } of reports.after(this.#asked)) {
      this.#asked = report.n;
      if (!results.areHad(hashes)) results.bring(hashes, () => this.flush());
    }
  }

  #register(session: SessionNumber): void {
    const { reports, results, send, compose, registered } = this.#o;
    this.#cancelWait?.();
    reports.flush(); // what has ended is named as such, or as held, but named
    this.#isRegistered = true;
    const inside: WorkerReport[] = [];
    const behind: number[] = [];
    let bytes = 0;
    for (const { report, hashes } of reports.after(0)) {
      bytes += reportBytes(report);
      const fits = bytes <= registerBytesMax || inside.length === 0;
      if (behind.length > 0 || !fits || !results.areHad(hashes)) behind.push(report.n);
      else {
        inside.push(report);
        this.#sent = report.n;
      }
    }
    send(session, [compose(inside, behind)]);
    this.flush();
    registered();
  }
}

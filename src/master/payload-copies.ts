// Payloads as a cluster has them: on this master's disk, or on another's (A1). What the API, the sessions and the
// peers ask; the work is done by payload-spread.ts (the leader's part) and payload-pull.ts (whoever lacks one).

import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { PayloadRange, PayloadRead, PayloadStore } from "../payloads/payload-store.ts";
import { limits } from "../protocol/limits.ts";
import type { Standby } from "./peer-ports.ts";
import type { Peers } from "./peers.ts";
import { PayloadPull } from "./payload-pull.ts";
import { PayloadSpread } from "./payload-spread.ts";

export interface PayloadCopiesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly payloads: PayloadStore;
  readonly token: string;
  readonly peers: Pick<Peers, "live" | "fetch">;
  /** Where other masters listen, the leader first. */
  readonly others: () => readonly string[];
  /** Index of the last durable batch. */
  readonly index: () => number;
  /** Hashes that the durable state names. May change while they are looked at. */
  readonly named: () => Iterable<string>;
}

export class PayloadCopies {
  readonly #options: PayloadCopiesOptions;
  readonly #spread: PayloadSpread;
  readonly #pull: PayloadPull;
  /** When somebody who may be about to name it asked for it last. */
  readonly #wanted = new Map<string, number>();
  #cancelLook: CancelTimer;
  #missing = 0;

  constructor(options: PayloadCopiesOptions) {
    this.#options = options;
    this.#spread = new PayloadSpread(options);
    this.#pull = new PayloadPull(options);
    this.#cancelLook = options.clock.after(limits.payloadLookMs, () => this.#look());
  }

  stop(): void {
    this.#cancelLook();
    this.#spread.stop();
    this.#pull.stop();
  }

  // ── the leader ─────────────────────────────────────────────────────────────────────────

  /**
   * Before these are named in an entry: what is missing here is copied from whoever has it, and what is here is made
   * to be on min(2, live masters). What nobody has stays missing, for the decision to find. Rejects with `stalled`.
   */
  async secure(hashes: readonly string[]): Promise<void> {
    const { payloads, clock } = this.#options;
    for (const hash of hashes) this.#wanted.set(hash, clock.now());
    const missing = hashes.filter((hash) => !payloads.has(hash));
    if (missing.length > 0) await Promise.all(missing.map((hash) => this.#pull.pull(hash)));
    await this.#spread.spread(hashes.filter((hash) => payloads.has(hash)));
  }

  /** They need not be secured. */
  areSecure(hashes: readonly string[]): boolean {
    const { payloads } = this.#options;
    return hashes.every((hash) => payloads.has(hash)) && this.#spread.areSpread(hashes);
  }

  /** `PeersPorts.onHave`. */
  had(standby: Standby, hashes: readonly string[], applied: number): void {
    this.#spread.had(standby, hashes, applied);
  }

  /** This master comes to lead. */
  elected(): void {
    this.#spread.reset();
  }

  // ── every master ───────────────────────────────────────────────────────────────────────

  /** From this master's disk; else copied from another one first. Undefined when nobody has it. */
  async read(hash: string, range?: Partial<PayloadRange>): Promise<PayloadRead | undefined> {
    const here = await this.#options.payloads.read(hash, range);
    if (here) return here;
    return (await this.#pull.pull(hash)) ? this.#options.payloads.read(hash, range) : undefined;
  }

  /** Its size, once it is here. */
  async size(hash: string): Promise<number | undefined> {
    this.#wanted.set(hash, this.#options.clock.now());
    await this.#pull.pull(hash);
    return this.#options.payloads.size(hash);
  }

  /** Whether somebody has asked for it since: a result may wait long for the entry that names it. */
  wantedSince(hash: string, at: number): boolean {
    return (this.#wanted.get(hash) ?? -Infinity) >= at;
  }

  forgetWanted(before: number): void {
    for (const [hash, at] of this.#wanted) if (at < before) this.#wanted.delete(hash);
  }

  /** `PeersPorts.fetch`. */
  fetch(hash: string, from: string, done: (ok: boolean) => void): void {
    // Looked at again at that very moment: it may have been freed while it was copied.
    const tell = () => done(this.#options.payloads.has(hash));
    void this.#pull.pull(hash, from).then(tell);
  }

  /** Effect `payloadsFreed` of a durable batch. */
  async freed(index: number, hashes: readonly string[]): Promise<void> {
    this.#spread.freed(index, hashes);
    await this.#options.payloads.delete(hashes);
  }

  /** What the state names and this master lacks, from whoever has it. */
  #look(): void {
    const { clock, log, named, others } = this.#options;
    const again = (delayMs: number) => {
      this.#cancelLook = clock.after(delayMs, () => this.#look());
    };
    if (others().length === 0) return again(limits.payloadLookMs);
    this.#pull.pullNamed(named()).then(
      (missing) => {
        const before = this.#missing;
        this.#missing = missing;
        if (missing > 0 && missing !== before) log.warn("payloads are missing here", { missing });
        // What nobody has is not asked for all the time.
        again(missing > 0 && missing === before ? 12 * limits.payloadLookMs : limits.payloadLookMs);
      },
      (error: unknown) => {
        log.warn("payloads could not be copied", { error });
        again(limits.payloadLookMs);
      },
    );
  }
}

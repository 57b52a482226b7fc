// Payloads that this master lacks, copied from another one: when it is asked to, when a reader wants one, and in
// the background whatever the state names (A1). What is copied is checked against its hash, and fsynced.

import type { Log } from "../lib/log.ts";
import type { PayloadStore } from "../payloads/payload-store.ts";
import { SkeinError } from "../protocol/errors.ts";
import { hashPattern } from "../protocol/ids.ts";
import { limits } from "../protocol/limits.ts";
import { openFromPeer } from "./peer-http.ts";

export interface PayloadPullOptions {
  readonly payloads: PayloadStore;
  readonly token: string;
  readonly log: Log;
  /** Where other masters listen, the most likely to have it first. */
  readonly others: () => readonly string[];
}

/** Hashes looked at in one go: a millisecond. */
const sliceHashes = 5_000;

export class PayloadPull {
  readonly #options: PayloadPullOptions;
  readonly #pulling = new Map<string, Promise<boolean>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #looking: Promise<number> | undefined;
  readonly #stop = new AbortController();

  constructor(options: PayloadPullOptions) {
    this.#options = options;
  }

  /** True once it is fsynced here; false when no other master gave it. One copy at a time of each. */
  pull(hash: string, first?: string): Promise<boolean> {
    if (this.#options.payloads.has(hash)) return Promise.resolve(true);
    if (!hashPattern.test(hash) || this.#stop.signal.aborted) return Promise.resolve(false);
    const known = this.#pulling.get(hash);
    if (known) return known;
    const pulling = this.#pull(hash, first).finally(() => this.#pulling.delete(hash));
    this.#pulling.set(hash, pulling);
    return pulling;
  }

  /** Copies what is named and not here; resolves with how many are missing still. */
  pullNamed(named: Iterable<string>): Promise<number> {
    this.#looking ??= this.#pullAll(named).finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  stop(): void {
    this.#stop.abort();
    for (const next of this.#waiting.splice(0)) next();
  }

  async #pullAll(named: Iterable<string>): Promise<number> {
    const { payloads } = this.#options;
    const missing: string[] = [];
    let looked = 0;
    for (const hash of named) {
      if (!payloads.has(hash)) missing.push(hash);
      if (++looked % sliceHashes === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const got = await Promise.all(missing.map((hash) => this.pull(hash)));
    return got.filter((ok) => !ok).length;
  }

  async #pull(hash: string, first?: string): Promise<boolean> {
    await this.#turn();
    try {
      const others = this.#options.others();
      const from = first === undefined ? others : [first, ...others.filter((a) => a !== first)];
      for (const address of from) {
        if (this.#stop.signal.aborted) return false;
        if (await this.#copy(hash, address)) return true;
      }
      return false;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    if (this.#running >= limits.payloadCopiesMax) {
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
    this.#running++;
  }

  async #copy(hash: string, address: string): Promise<boolean> {
    const { payloads, token, log } = this.#options;
    try {
      const { signal } = this.#stop;
      const body = await openFromPeer(address, `/v1/payloads/${hash}`, { token, signal });
      await payloads.put(hash, body, { maxBytes: limits.payloadBytesMax });
      return true;
    } catch (error) {
      // The next master is asked, or this one again later: whoever needs it says what follows from that.
      const isMissing = error instanceof SkeinError && error.code === "not_found";
      const why = error instanceof Error ? error.message : String(error);
      if (!isMissing) log.info("a payload could not be copied", { hash, from: address, why });
      return false;
    }
  }
}

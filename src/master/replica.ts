// The state as this master has it, with what ties it to the journal: the hash of its last batch, the memory of
// its digest, the clock that goes on from its time. Leader and standby alike have one.

import { digest, digestAhead, renewDigestMemory } from "../core/digest.ts";
import type { DigestMemory } from "../core/digest.ts";
import type { Effect } from "../core/effect.ts";
import type { Entry } from "../core/entry.ts";
import type { State } from "../core/state.ts";
import type { BatchPosition } from "../core/turn.ts";
import { encodeBatch } from "../journal/batch.ts";
import type { EncodedBatch } from "../journal/batch.ts";
import { checkNext } from "../journal/chain.ts";
import type { StoredBatch } from "../journal/journal.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import { encodeEntries, entriesFormat } from "./codec.ts";
import type { Grounded, LoopIdentity } from "./loop-ports.ts";
import { createDigestCheck, foldBatch } from "./replay.ts";
import type { DigestCheck } from "./replay.ts";

export class Replica {
  #state: State;
  #hash: string;
  #memory: DigestMemory;
  #check: DigestCheck;
  #doubts: number;
  #differs = false;
  /** The term that a state in doubt was folded in: once a term is enough, its leader says the same again. */
  #foldedIn = -1;
  /** Of the batch that is being folded. */
  #term = 0;
  #digestIndex = 0;
  #digestTime = 0;
  /** Cluster time goes on from here by the monotonic clock (T1). */
  #timeBase: { readonly time: number; readonly at: number };
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(grounded: Grounded, clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#state = grounded.state;
    this.#hash = grounded.hash;
    this.#doubts = grounded.doubts;
    this.#foldedIn = grounded.state.term;
    this.#memory = renewDigestMemory(grounded.state);
    this.#check = this.#checkDigests();
    this.#timeBase = { time: grounded.state.time, at: clock.now() };
  }

  get state(): State {
    return this.#state;
  }

  /** In this batch the journal's digest is not this state's, twice computed (L10); 0: no doubt. */
  get doubts(): number {
    return this.#doubts;
  }

  /** A digest of the journal was not this state's: it should be folded anew (L10). */
  get differs(): boolean {
    return this.#differs;
  }

  adopt(grounded: Grounded): void {
    this.#state = grounded.state;
    this.#hash = grounded.hash;
    this.#doubts = grounded.doubts;
    this.#foldedIn = grounded.state.term;
    this.#memory = renewDigestMemory(grounded.state);
    this.#check = this.#checkDigests();
    this.#differs = false;
    this.goOn();
  }

  /** Cluster time now, in ms. */
  time(): number {
    const passed = Math.floor(this.#clock.now() - this.#timeBase.at);
    return Math.max(this.#state.time, this.#timeBase.time + passed);
  }

  /** Time goes on from the last batch: what passed since does not count (T1). */
  goOn(): void {
    this.#timeBase = { time: this.#state.time, at: this.#clock.now() };
  }

  /** Folds the next batch in. @throws JournalHalt when it is not the next one. */
  fold(batch: StoredBatch): readonly Effect[] {
    const { journalId, index, term } = this.#state;
    checkNext(journalId, { index, term, hash: this.#hash, batchId: "" }, batch);
    this.#term = batch.term;
    let effects: readonly Effect[] = [];
    foldBatch(this.#state, batch, this.#check, (seen) => {
      effects = seen;
    });
    this.#hash = batch.hash;
    this.goOn();
    return effects;
  }

  /** The batch that the state has seen already is in the journal. */
  appended(batch: EncodedBatch): void {
    this.#hash = batch.hash;
  }

  encode(at: BatchPosition, entries: readonly Entry[], batchId: string): EncodedBatch {
    const { index, term, time, wall } = at;
    const { journalId } = this.#state;
    const header = { journalId, index, term, batchId, previousHash: this.#hash, time, wall };
    return encodeBatch({ ...header, format: entriesFormat, bytes: encodeEntries(entries) });
  }

  /** An `elected` of this master in the next term, on top of this state. */
  elected(identity: LoopIdentity, wall: number, batchId: string): EncodedBatch {
    const { index, time } = this.#state;
    const term = this.#state.term + 1;
    const { id, incarnation, levels, process } = identity;
    const addresses = [...identity.addresses];
    const who = {
      id,
      incarnation,
      addresses,
      levels,
      ...(process === undefined ? {} : { process }),
    };
    const entry = { kind: "elected", v: 1, term, ...who, digest: this.digest() } as const;
    return this.encode({ index: index + 1, term, time, wall }, [entry], batchId);
  }

  isLedBy({ id, incarnation }: LoopIdentity): boolean {
    const { leader } = this.#state;
    return leader?.id === id && leader.incarnation === incarnation;
  }

  digest(): string {
    return digest(this.#state, this.#memory);
  }

  /** Whether a digest is to stand in this batch (L10); then it is taken to. */
  digestDue({ index, time }: Pick<BatchPosition, "index" | "time">): boolean {
    const batches = index - this.#digestIndex;
    const quiet = time - this.#digestTime < limits.digestMs;
    if (batches < limits.digestBatches && (quiet || batches < 2)) return false;
    this.#digestIndex = index;
    this.#digestTime = time;
    return true;
  }

  /** Some of the next digest's work, so that it is no stall. */
  digestAhead(): void {
    digestAhead(this.#state, this.#memory);
  }

  #checkDigests(): DigestCheck {
    const differs = (index: number, own: string, recorded: string) => {
      this.#log.error("a digest differs", { index, own, recorded });
      if (this.#doubts > 0 && this.#foldedIn === this.#term) this.#doubts = index;
      else this.#differs = true;
    };
    return createDigestCheck(differs, this.#memory, () => {
      if (this.#doubts > 0)
        this.#log.info("the journal's digest is this state's: no doubt is left");
      this.#doubts = 0;
    });
  }
}

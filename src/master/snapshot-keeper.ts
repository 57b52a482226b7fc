// Snapshots and trims (A4, A5): when to make one, and when what it covers may leave the journal. Every master makes
// its own; only the leader names one in the journal, and asks for a trim.
//
//   N1. A snapshot is named in the journal only after it was written, loaded again and compared.
//   N2. The journal is trimmed up to the older of the two newest snapshots, so that one bad file is survived,
//       and only what the archive has on disk.
//   N3. It waits for the history only while there is room: no promise rests on the history, and a journal that
//       is never trimmed refuses submits in the end.
//   N4. Where other masters are known, a live one has verified a snapshot at or past the trim, and the archives of
//       all that live have passed it: the journal is trimmed for all masters at once. As with N3, one that is away
//       or sick holds this up only while there is room; then it copies from another when it returns.
//   N5. A master whose snapshots all lie before the journal's beginning would be lost with its process. It gets one at
//       once: a copy of another master's, and where nobody has any, its own memory, which stalls the loop once (A4).

import { join } from "node:path";
import type { Worker as Thread } from "node:worker_threads";
import type { State } from "../core/state.ts";
import type { Journal, StoredBatch } from "../journal/journal.ts";
import type { Log } from "../lib/log.ts";
import { startThread } from "../lib/thread.ts";
import { limits } from "../protocol/limits.ts";
import type { Archive } from "./archive/archive.ts";
import { decodeEntries } from "./codec.ts";
import { ask } from "./context.ts";
import type { Refolded } from "./disputes.ts";
import type { History } from "./history/history.ts";
import type { Durable } from "./loop-ports.ts";
import type { Loop } from "./loop.ts";
import type { Standing } from "./peer-ports.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot-state.ts";
import type { SnapshotAnswer, SnapshotAsk } from "./snapshot-wire.ts";
import { latestUsable } from "./snapshots/snapshots.ts";
import type { SnapshotFile } from "./snapshots/snapshots.ts";
import { trimLimit } from "./trim-limit.ts";
import { shareOf } from "./usage-watch.ts";

export interface SnapshotKeeperOptions {
  readonly dir: string;
  readonly journal: Journal;
  readonly archive: Archive;
  readonly history: Pick<History, "durable" | "trouble">;
  readonly log: Log;
  /** Journal bytes and batches after which a snapshot is made. */
  readonly everyBytes?: number | undefined;
  readonly everyBatches?: number | undefined;
  /** Copies a snapshot of another master into this one's folder: the journal begins after its own. */
  readonly copy?: ((addresses: readonly string[]) => Promise<void>) | undefined;
}

/** What a keeper asks about other masters. */
export interface OtherMasters {
  /** The leader's standbys (N4). */
  readonly live: () => readonly Pick<Standing, "snapshot" | "watermark">[];
  /** Where others listen. */
  readonly addresses: () => readonly string[];
}

const nobody: OtherMasters = { live: () => [], addresses: () => [] };

/** A trim that waits for standbys is looked at again after so many batches. */
const reviewBatches = 64;

export class SnapshotKeeper implements AsyncDisposable {
  readonly #options: SnapshotKeeperOptions;
  readonly #dir: string;
  #loop: Loop | undefined;
  #others = nobody;
  #bytes = 0;
  #batches = 0;
  #making: Promise<void> | undefined;
  /** Own snapshots allow a trim up to here; standbys may not yet. 0: none waits. */
  #trimUpTo = 0;
  #trimming = false;
  /** Newest snapshot that was loaded again and compared; 0: none. What a standby says of itself. */
  newest = 0;
  #closed = false;
  readonly #ending = new AbortController();
  /** Index at which the last one was begun. */
  #triedAt = -reviewBatches;

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
    this.#dir = join(options.dir, "snapshots");
  }

  /**
   * The state of the newest usable snapshot up to an index; unusable ones are named in the log. When any will do and
   * the journal begins after all that are here, another master is asked for its own.
   */
  async load(indexMax: number): Promise<State | undefined> {
    const { journal, log } = this.#options;
    const { journalId } = journal;
    if (indexMax === Infinity) {
      await this.#start().catch((error: unknown) => log.warn("no snapshot was copied", { error }));
    }
    const { found, problems } = await latestUsable(this.#dir, { journalId, indexMax });
    for (const problem of problems)
      log.warn("a snapshot cannot be used", { problem: problem.message });
    if (!found) return undefined;
    const state = decodeSnapshot(found.snapshot);
    this.newest = Math.max(this.newest, state.index);
    return state;
  }

  serve(loop: Loop, others: OtherMasters = nobody): void {
    this.#loop = loop;
    this.#others = others;
  }

  appended(durable: Durable): void {
    if (durable.index % reviewBatches === 0) this.standbysMoved();
    this.#bytes += durable.bytes.length;
    this.#batches++;
    const { everyBytes = limits.snapshotBytes, everyBatches = limits.snapshotBatches } =
      this.#options;
    const due = this.#bytes >= everyBytes || this.#batches >= everyBatches;
    if (!due && !this.#lacksAny(durable.index)) return;
    if (this.#making !== undefined || this.#closed) return;
    this.#triedAt = durable.index;
    this.#bytes = 0;
    this.#batches = 0;
    this.#making = this.#make(durable.index)
      .catch((error: unknown) => this.#options.log.error("no snapshot could be made", { error }))
      .finally(() => {
        this.#making = undefined;
      });
  }

  /** What a standby has may allow a trim now (N4). */
  standbysMoved(): void {
    if (this.#trimUpTo === 0 || this.#trimming || this.#closed || !this.#loop?.leads) return;
    this.#trimming = true;
    this.#trim()
      .catch((error: unknown) => this.#options.log.warn("the journal is not trimmed", { error }))
      .finally(() => {
        this.#trimming = false;
      });
  }

  /** N5: looked at anew after some batches, since a try may take long and lead nowhere. */
  #lacksAny(index: number): boolean {
    const trimmed = this.#loop?.peek(({ trimIndex }) => trimIndex) ?? 0;
    return trimmed > this.newest && index - this.#triedAt >= reviewBatches;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#ending.abort(new Error("the master ends"));
    await this.#making;
  }

  async #make(upTo: number): Promise<void> {
    const { journal, archive, log } = this.#options;
    const loop = this.#loop;
    if (!loop) return;
    const url = new URL("./snapshot-thread.ts", import.meta.url);
    const maker = new SnapshotThread(startThread(url, { name: "snapshot" }));
    let madeIndex = 0;
    try {
      // Only what verifies: a damaged file must neither be built on nor be trimmed up to (N2).
      const from = await this.#start().catch((error: unknown) => {
        log.warn("no snapshot was copied", { error });
        return undefined;
      });
      let index = await maker.begin(this.#dir, journal.journalId, from?.file ?? null);
      if (index < (await journal.trimmed())) index = await this.#giveMemory(maker, loop);
      while (index < upTo && !this.#closed) {
        const batches = (await journal.readAfter(index)).filter((batch) => batch.index <= upTo);
        index = await maker.fold(batches);
      }
      if (this.#closed) return;
      const made = await maker.finish();
      await archive.flush();
      madeIndex = this.newest = made.index;
      log.info("snapshot taken", { index: made.index, digest: made.digest });
      if (loop.leads) await ask({ loop }, { kind: "noteSnapshot", ...made });
    } finally {
      await maker.end();
    }
    // On a standby too: it may lead before it makes the next one.
    const older = await this.#usable(madeIndex - 1);
    this.#trimUpTo = older?.index ?? 0;
    this.standbysMoved();
  }

  /** The digest in this batch, and that of the state before it, folded from the disk alone (L10). */
  async refold(index: number): Promise<Refolded> {
    const { journal } = this.#options;
    const thread = startThread(new URL("./snapshot-thread.ts", import.meta.url), {
      name: "refold",
    });
    const maker = new SnapshotThread(thread);
    try {
      const from = await this.#usable(index - 1);
      let at = await maker.begin(this.#dir, journal.journalId, from?.file ?? null);
      while (at < index - 1) {
        const batches = (await journal.readAfter(at)).filter((batch) => batch.index < index);
        if (batches.length === 0) throw new Error(`the journal has no batch ${at + 1}`);
        at = await maker.fold(batches);
      }
      const own = await maker.digest();
      return { own, recorded: digestIn(await journal.read(index)) };
    } finally {
      await maker.end();
    }
  }

  /** N5. */
  async #giveMemory(maker: SnapshotThread, loop: Loop): Promise<number> {
    if (loop.doubts > 0) throw new Error("this master's state is in doubt, and it has no other");
    this.#options.log.warn("no snapshot reaches the journal: one is made of this master's memory");
    const { signal } = this.#ending;
    const bytes = await new Promise<Uint8Array>((resolve, reject) => {
      // A loop that has stopped shows nothing any more.
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      loop.read(encodeSnapshot, resolve);
    });
    return maker.give(bytes);
  }

  /** What to fold on: own, or another master's when the journal begins after it. */
  async #start(): Promise<SnapshotFile | undefined> {
    const { journal, copy } = this.#options;
    const own = await this.#usable(Infinity);
    if ((own?.index ?? 0) >= (await journal.trimmed()) || !copy) return own;
    await copy(this.#others.addresses());
    return this.#usable(Infinity);
  }

  /** N4: how far a trim may go now; 0: it may not. */
  async #allowed(loop: Loop): Promise<number> {
    const others = loop.peek((state) => state.masters.size > 1);
    if (!others || shareOf(await this.#options.journal.usage()) >= limits.trimAnywayAt) {
      return this.#trimUpTo;
    }
    return trimLimit(this.#trimUpTo, others, this.#others.live());
  }

  async #trim(): Promise<void> {
    const { journal, archive } = this.#options;
    const loop = this.#loop;
    const upTo = loop ? await this.#allowed(loop) : 0;
    const useful = upTo > (await journal.trimmed()) && upTo <= archive.watermark;
    if (!loop || !useful || !(await this.#mayTrim(upTo))) return;
    if (upTo >= this.#trimUpTo) this.#trimUpTo = 0;
    await ask({ loop }, { kind: "trim", below: upTo + 1 });
  }

  /** The newest snapshot up to an index that verifies. */
  async #usable(indexMax: number): Promise<SnapshotFile | undefined> {
    const { journalId } = this.#options.journal;
    return (await latestUsable(this.#dir, { journalId, indexMax })).found?.file;
  }

  /** N3. */
  async #mayTrim(upTo: number): Promise<boolean> {
    const { journal, history, log } = this.#options;
    const { durable, trouble } = history;
    if (durable >= upTo) return true;
    const why = trouble?.message ?? "it is behind";
    if (shareOf(await journal.usage()) < limits.trimAnywayAt) {
      log.warn("the journal is not trimmed: it waits for the history", { upTo, durable, why });
      return false;
    }
    const [first, last] = [durable + 1, upTo];
    log.error("the journal is trimmed although the history lacks batches", { first, last, why });
    return true;
  }
}

function digestIn(batch: StoredBatch | undefined): string {
  if (!batch) throw new Error("the journal has not got that batch");
  for (const entry of decodeEntries(batch.bytes, batch.format)) {
    if ("digest" in entry && entry.kind !== "snapshotTaken") return entry.digest;
  }
  throw new Error(`there is no digest in batch ${batch.index}`);
}

/** One question at a time to the thread. */
class SnapshotThread {
  readonly #thread: Thread;

  constructor(thread: Thread) {
    this.#thread = thread;
    thread.unref();
  }

  async begin(dir: string, journalId: string, from: string | null): Promise<number> {
    const answer = await this.#ask({ kind: "begin", dir, journalId, from });
    return answer.kind === "folded" ? answer.index : 0;
  }

  async give(bytes: Uint8Array): Promise<number> {
    const answer = await this.#ask({ kind: "give", bytes });
    return answer.kind === "folded" ? answer.index : 0;
  }

  async fold(batches: readonly StoredBatch[]): Promise<number> {
    const answer = await this.#ask({ kind: "fold", batches });
    if (answer.kind !== "folded") throw new Error(`unexpected answer ${answer.kind}`);
    return answer.index;
  }

  async digest(): Promise<string> {
    const answer = await this.#ask({ kind: "digest" });
    if (answer.kind !== "digest") throw new Error(`unexpected answer ${answer.kind}`);
    return answer.digest;
  }

  async finish(): Promise<{ index: number; digest: string; file: string }> {
    const answer = await this.#ask({ kind: "finish" });
    if (answer.kind !== "done") throw new Error(`unexpected answer ${answer.kind}`);
    return { index: answer.index, digest: answer.digest, file: answer.file };
  }

  async end(): Promise<void> {
    await this.#thread.terminate();
  }

  #ask(ask: SnapshotAsk): Promise<SnapshotAnswer> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => reject(error);
      this.#thread.once("error", failed);
      this.#thread.once("message", (answer: SnapshotAnswer) => {
        this.#thread.off("error", failed);
        if (answer.kind === "failed") reject(new Error(answer.why));
        else resolve(answer);
      });
      this.#thread.postMessage(ask);
    });
  }
}

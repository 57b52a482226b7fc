// The etcd engine: a journal that outlives any machine, for masters on several.
//
//     append, read, head, trim ──▶ etcd/store.ts ──▶ etcd/client.ts ──▶ one member, by HTTP/2
//     follow ──▶ etcd/watch.ts ───────────────────────────┘
//
// It owns what the answers mean to a journal. The transactions are in `etcd/store.ts`, the keys in
// `etcd/keys.ts`, who is talked to in `etcd/client.ts`, what is refused at opening in
// `etcd/preflight.ts`. `docs/etcd.md` is for whoever runs etcd.
//
// G1  An append that ends without an answer is `unknown`: etcd may do it still, or have done it (J3).
// G2  A write that crosses the quota is stored by etcd and answered like one that is not. So a
//     refusal for lack of space is believed only after the slot was read and is not ours.
// G3  Whatever cannot be answered now is `EngineUnavailable`, never a halt.

import { asError } from "../lib/as-error.ts";
import { systemClock, type Clock } from "../lib/clock.ts";
import { checkJournalId, newJournalId, type EncodedBatch } from "./batch.ts";
import { checkExpected, foreignJournal } from "./chain.ts";
import { EtcdClient } from "./etcd/client.ts";
import { hiddenLeader } from "./etcd/dial.ts";
import { corruptCluster, EtcdRefusal } from "./etcd/errors.ts";
import { decodeId, encodeId, firstHead, JournalKeys } from "./etcd/keys.ts";
import { readMetrics } from "./etcd/metrics.ts";
import { isAbsent, methods, opPut, opRange, txn, txnAnswer } from "./etcd/messages.ts";
import { survey, type EtcdSettings } from "./etcd/preflight.ts";
import { EtcdStore } from "./etcd/store.ts";
import { parseEtcdUrl } from "./etcd/url.ts";
import { followKey } from "./etcd/watch.ts";
import { JournalHalt } from "./halt.ts";
import { readBytesDefault, type AppendResult, type Head, type Journal } from "./journal.ts";
import type { JournalUsage, RefusalCode, StoredBatch } from "./journal.ts";
import { EngineUnavailable } from "./unavailable.ts";

export interface EtcdJournalOptions {
  /** Like "etcd://a:2379,b:2379,c:2379/skein"; see `etcd/url.ts`. */
  readonly url: string;
  /** Of a new journal: its id. Of an old one: what it must be. */
  readonly journalId?: string;
  /** Lowers the quota that `usage` shows; etcd itself knows only its own. */
  readonly bytesMax?: number;
  readonly clock?: Clock;
  /** How long any call may take, but for compaction; 2 s unless given. */
  readonly callMs?: number;
}

/**
 * etcd takes requests up to 1.5 MiB (1,572,864 bytes) unless told failure: this leaves 128 KiB for
 * keys, the head and what etcd wraps around it.
 */
const batchBytesMax = 1_408 * 1024;
/**
 * A quarter of SQLite's: every inline byte crosses the network to each member, is written twice there
 * (log and database), and counts towards a quota of 2 GiB. A batch of 64 KiB still holds 16 of them.
 */
const inlineBytesMax = 4 * 1024;
/** Room for the rest of the transaction when the preflight tries how large a request may be. */
const requestRoom = 1024;

/** Rejects with a halt if this etcd cannot hold this journal, with `EngineUnavailable` if none answers. */
export async function openEtcdJournal(options: EtcdJournalOptions): Promise<EtcdJournal> {
  const { url, clock = systemClock, journalId: wanted, callMs } = options;
  if (wanted !== undefined) checkJournalId(wanted);
  const place = parseEtcdUrl(url.replace(/^etcds?:\/\//, ""), url.startsWith("etcds:"));
  const client = new EtcdClient({ place, clock, ...(callMs !== undefined && { callMs }) });
  try {
    const settings = await survey(client, batchBytesMax + requestRoom);
    const journalId = await create(client, wanted);
    if (wanted !== undefined && wanted !== journalId) throw foreignJournal(wanted, journalId);
    const bytesMax = options.bytesMax ?? Number.MAX_SAFE_INTEGER;
    return new EtcdJournal({ client, clock, settings, journalId, bytesMax });
  } catch (error) {
    client.close(closed(place.prefix));
    throw error;
  }
}

/** The id of the journal below the prefix, which is made if nothing at all is there. */
async function create(client: EtcdClient, wanted: string | undefined): Promise<string> {
  const keys = new JournalKeys(client.place.prefix);
  const [from, end] = keys.all;
  const ask = txn({
    compare: [isAbsent(from, end)],
    success: [
      opPut(keys.journal, encodeId(wanted ?? newJournalId())),
      opPut(keys.head, firstHead),
      opRange({ key: keys.journal }),
    ],
    failure: [
      opRange({ key: keys.journal }),
      opRange({ key: from, end, keysOnly: true, limit: 1 }),
    ],
  });
  const { ranges } = txnAnswer(await client.call(methods.txn, ask, { linear: true }));
  const mark = ranges
    .flatMap(({ values }) => values)
    .find(({ key }) => key.equals(Buffer.from(keys.journal)));
  const found = mark && decodeId(mark.value);
  if (found !== undefined) return found;
  const other = ranges.at(-1)?.values[0]?.key.toString() ?? keys.journal;
  throw new JournalHalt("foreign_journal", {
    what: `no journal can be made below ${from} in etcd`,
    why: `something else is there (${other})`,
    todo: "Name a prefix of its own for this cluster",
  });
}

interface Parts {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly settings: EtcdSettings;
  readonly journalId: string;
  readonly bytesMax: number;
}

export class EtcdJournal implements Journal {
  readonly engine = "etcd";
  readonly batchBytesMax = batchBytesMax;
  readonly inlineBytesMax = inlineBytesMax;
  readonly journalId: string;
  /** What the preflight found: log it. */
  readonly settings: EtcdSettings;
  readonly #parts: Parts;
  readonly #store: EtcdStore;
  readonly #follows = new Set<() => void>();
  /** Why the last trim could not free what it deleted; the next one tries again. */
  #compactTrouble: Error | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.journalId = parts.journalId;
    this.settings = parts.settings;
    this.#store = new EtcdStore(parts.client, parts.journalId);
  }

  get notes(): readonly string[] {
    const why = this.#compactTrouble?.message;
    if (why === undefined) return this.settings.notes;
    const trouble = `etcd did not free what the last trim deleted: ${why}. The next trim tries again.`;
    return [...this.settings.notes, trouble];
  }

  members(): number | undefined {
    const { members } = this.settings;
    return members === 0 ? undefined : members;
  }

  async append(expected: number, batch: EncodedBatch): Promise<AppendResult> {
    checkExpected(expected, batch);
    const { bytes, journalId } = batch;
    if (journalId !== this.journalId) throw foreignJournal(this.journalId, journalId);
    if (bytes.length > batchBytesMax) {
      const why = `a batch of ${bytes.length} bytes is larger than ${batchBytesMax}`;
      return refused("too_large", why);
    }
    try {
      return await this.#store.append(batch);
    } catch (error) {
      if (error instanceof JournalHalt) throw error;
      if (error instanceof EtcdRefusal) return this.#refusal(batch, error);
      return { kind: "unknown", cause: asError(error) };
    }
  }

  read(index: number): Promise<StoredBatch | undefined> {
    return answered(this.#store.read(index));
  }

  readAfter(index: number, limitBytes: number = readBytesDefault): Promise<StoredBatch[]> {
    return answered(this.#store.readAfter(index, limitBytes));
  }

  head(): Promise<Head> {
    return answered(this.#store.head());
  }

  trimmed(): Promise<number> {
    return answered(this.#store.trimmed());
  }

  /** Also compacts etcd up to here, without which nothing is freed. */
  async trim(below: number): Promise<void> {
    const revision = await answered(this.#store.trim(below));
    if (revision === undefined) return;
    this.#compactTrouble = await this.#store.compact(revision);
  }

  async usage(): Promise<JournalUsage> {
    const { client } = this.#parts;
    const status = await answered(client.status());
    const corrupt = status.errors.find((one) => one.includes("CORRUPT"));
    if (corrupt !== undefined) throw corruptCluster(corrupt);
    const inUse = status.leader === hiddenLeader ? await this.#usedBytes() : status.bytesInUse;
    const bytesMax = Math.min(status.quota || this.settings.quotaBytes, this.#parts.bytesMax);
    // With the alarm raised etcd takes no writes, whatever was freed since: it is full until disarmed.
    const isFull = status.errors.some((one) => one.includes("NOSPACE"));
    const bytes = isFull ? Math.max(inUse, bytesMax) : inUse;
    return { bytes, bytesMax, diskFree: Number.MAX_SAFE_INTEGER };
  }

  async verify(from?: number): Promise<void> {
    const { index: end } = await this.head();
    let last = Math.max((from ?? 1) - 1, await this.trimmed());
    while (last < end) {
      try {
        const batches = await this.readAfter(last);
        last = batches.at(-1)?.index ?? end;
      } catch (error) {
        // A trim overtook the walk: it goes on where the journal begins now.
        if (!(error instanceof JournalHalt) || error.kind !== "trimmed") throw error;
        last = await this.trimmed();
      }
    }
  }

  follow(ring: () => void): () => void {
    const { client, clock } = this.#parts;
    const { head } = new JournalKeys(client.place.prefix);
    const end = followKey(client, { key: head, clock, ring });
    this.#follows.add(end);
    return () => {
      this.#follows.delete(end);
      end();
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#follows) end();
    this.#follows.clear();
    const { client } = this.#parts;
    client.close(closed(client.place.prefix));
  }

  /** Where the status is closed to this user; the preflight has seen that the metrics are not. */
  async #usedBytes(): Promise<number> {
    const { client } = this.#parts;
    const metrics = client.endpoint && (await readMetrics(client.endpoint, client.place));
    if (metrics && metrics.bytesInUse !== undefined) return metrics.bytesInUse;
    throw new EngineUnavailable("etcd does not tell how full it is: /metrics cannot be read");
  }

  async #refusal(batch: EncodedBatch, refusal: EtcdRefusal): Promise<AppendResult> {
    const why = refusal.message;
    switch (refusal.kind) {
      case "no_space":
        return this.#withoutSpace(batch, refusal);
      case "too_large":
        return refused("too_large", why);
      case "forbidden":
      case "token":
        return refused("forbidden", why);
      case "compacted":
      case "other":
        return { kind: "unknown", cause: refusal };
      default:
        return refusal.kind satisfies never;
    }
  }

  /** G2. etcd has answered, so what the slot holds now is what became of this append. */
  async #withoutSpace({ index, batchId }: EncodedBatch, cause: Error): Promise<AppendResult> {
    try {
      const stored = await this.#store.read(index);
      if (stored?.batchId === batchId) return { kind: "appended" };
      return stored ? { kind: "conflict" } : refused("no_space", cause.message);
    } catch (error) {
      if (error instanceof JournalHalt) throw error;
      return { kind: "unknown", cause: asError(error) };
    }
  }
}

/** G3. */
async function answered<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof JournalHalt || error instanceof EngineUnavailable) throw error;
    const { message } = asError(error);
    throw new EngineUnavailable(`the journal in etcd cannot be read: ${message}`, { cause: error });
  }
}

function refused(code: RefusalCode, why: string): AppendResult {
  return { kind: "refused", code, why };
}

function closed(prefix: string): JournalHalt {
  return new JournalHalt("engine_failed", {
    what: `the journal at ${prefix} in etcd is closed`,
    why: "its owner closed it",
    todo: "Open it again",
  });
}

// The transactions of a journal in etcd: what each call asks, and what its answer means.
//
// T1  An append is one transaction: the fence (`keys.ts`), an empty slot and the journal's id are
//     compared, slot and head are put. If a compare fails, the same step returns what was found.
// T2  Every read sees the journal's id and the head in the same transaction as the batches.
// T3  That a batch is missing is found where it should be; only then the oldest batch is looked up,
//     to tell a trim from a gap. Looking it up is slow on long journals (etcd 3.4 walks all keys).

import { decodeBatch, type EncodedBatch } from "../batch.ts";
import { checkExtends, checkNext, foreignJournal, gap, headOf } from "../chain.ts";
import { headWentBack, trimmedAway } from "../chain.ts";
import { JournalHalt } from "../halt.ts";
import { emptyHead, type AppendResult, type Head, type StoredBatch } from "../journal.ts";
import { EngineUnavailable } from "../unavailable.ts";
import type { EtcdClient } from "./client.ts";
import { EtcdRefusal } from "./errors.ts";
import { decodeHead, decodeId, decodeSlot, encodeHead, encodeId, encodeSlot } from "./keys.ts";
import { JournalKeys, type Slot } from "./keys.ts";
import { compaction, isAbsent, methods, opDelete, opPut, opRange, txn } from "./messages.ts";
import { txnAnswer, valueIs, type RangeAnswer, type TxnAsk } from "./messages.ts";

/** Keys that one transaction of a trim deletes: a few milliseconds of etcd. */
const trimSlice = 512;
const compactMs = 60_000;
/** Batches of the first page of a read, when their size is not known yet, and of any page. */
const [firstPage, pageMax] = [8, 32];

export class EtcdStore {
  readonly #client: EtcdClient;
  readonly #keys: JournalKeys;
  readonly #journalId: string;
  /** The highest head index seen: the journal must never end before it. */
  #seen = 0;
  /** The last batch that a read returned: whoever tails asks for the next one. */
  #last: Head | undefined;

  constructor(client: EtcdClient, journalId: string) {
    this.#client = client;
    this.#keys = new JournalKeys(client.place.prefix);
    this.#journalId = journalId;
  }

  /** Rejects with a halt or with what the client throws; then it is not known what happened. */
  async append(batch: EncodedBatch): Promise<AppendResult> {
    const keys = this.#keys;
    const slot = keys.batch(batch.index);
    const seen = this.#seen;
    const answer = await this.#write({
      compare: [
        ...keys.fence(batch),
        isAbsent(slot),
        valueIs(keys.journal, "=", encodeId(this.#journalId)),
      ],
      success: [opPut(slot, encodeSlot(batch)), opPut(keys.head, encodeHead(headOf(batch)))],
      failure: [...this.#preamble(), opRange({ key: slot, keysOnly: true })],
    });
    if (answer.succeeded) {
      this.#seen = Math.max(this.#seen, batch.index);
      return { kind: "appended" };
    }
    const { head, rest } = this.#begin(answer.ranges, seen);
    checkExtends(this.#journalId, head, batch);
    const isNext = head.index === batch.index - 1 && head.term <= batch.term;
    if (isNext) throw occupied(batch.index, rest[0]?.values.length ?? 0);
    return { kind: "conflict" };
  }

  async head(): Promise<Head> {
    return (await this.#read([])).head;
  }

  async read(index: number): Promise<StoredBatch | undefined> {
    if (index < 1) return undefined;
    const { head, rest } = await this.#read([opRange({ key: this.#keys.batch(index) })]);
    if (index > head.index) return undefined;
    const [slot] = this.#slots(rest[0]);
    if (slot) return decoded(slot);
    if ((await this.trimmed()) < index) throw gap(index, undefined);
    return undefined;
  }

  /** At least one batch if there is one; checked by CRC, hash and chain. */
  async readAfter(index: number, limitBytes: number): Promise<StoredBatch[]> {
    const found: StoredBatch[] = [];
    let size = 0;
    let last = this.#last?.index === index ? this.#last : undefined;
    for (let more = true; more;) {
      const after = found.at(-1)?.index ?? index;
      const { head, slots, link } = await this.#page(after, last, pageOf(limitBytes - size, found));
      last ??= link;
      if (after < head.index && slots.length === 0) {
        if (found.length > 0) break; // The next call finds out why.
        throw await this.#missing(after + 1);
      }
      more = after + slots.length < head.index;
      for (const slot of slots) {
        size += slot.bytes.length;
        if (found.length > 0 && size > limitBytes) return this.#remember(found);
        const batch = decoded(slot);
        // The oldest kept batch continues one that is gone: its link is taken on trust.
        const previous = last ?? trusted(batch);
        checkNext(this.#journalId, previous, batch);
        found.push(batch);
        last = headOf(batch);
      }
      if (size >= limitBytes) break;
    }
    return this.#remember(found);
  }

  /** The index before the oldest batch. */
  async trimmed(): Promise<number> {
    const [key, end] = [this.#keys.batch(0), this.#keys.batch(Number.MAX_SAFE_INTEGER)];
    const { head, rest } = await this.#read([opRange({ key, end, limit: 1, keysOnly: true })]);
    const [oldest] = rest[0]?.values ?? [];
    if (oldest) return this.#keys.indexOf(oldest.key) - 1;
    if (head.index > 0) throw gap(head.index, undefined);
    return 0;
  }

  /** Returns the revision of the last delete, if there was one. */
  async trim(below: number): Promise<number | undefined> {
    const keys = this.#keys;
    const end = Math.min(below, (await this.head()).index);
    let revision: number | undefined;
    for (let from = (await this.trimmed()) + 1; from < end;) {
      const next = Math.min(from + trimSlice, end);
      const { succeeded, ranges, header } = await this.#write({
        compare: [valueIs(keys.journal, "=", encodeId(this.#journalId))],
        success: [opDelete(keys.batch(0), keys.batch(next))],
        failure: this.#preamble(),
      });
      if (!succeeded) this.#begin(ranges, 0);
      revision = header.revision;
      from = next;
    }
    return revision;
  }

  /** Frees what is deleted. Returns what stood in the way, if anything: it is tried again with the next trim. */
  async compact(revision: number): Promise<Error | undefined> {
    try {
      await this.#client.call(methods.compact, compaction(revision), { limitMs: compactMs });
      return undefined;
    } catch (error) {
      if (error instanceof EtcdRefusal) return error.kind === "compacted" ? undefined : error;
      if (error instanceof EngineUnavailable) return error;
      throw error;
    }
  }

  /** T2. */
  #preamble(): Buffer[] {
    return [opRange({ key: this.#keys.journal }), opRange({ key: this.#keys.head })];
  }

  async #read(ops: readonly Buffer[]) {
    const seen = this.#seen;
    const ask = txn({ success: [...this.#preamble(), ...ops] });
    const answer = await this.#client.call(methods.txn, ask, { linear: true });
    return this.#begin(txnAnswer(answer).ranges, seen);
  }

  async #write(ask: TxnAsk) {
    return txnAnswer(await this.#client.call(methods.txn, txn(ask), { linear: true }));
  }

  /** `seen`: what was seen before the question was asked. */
  #begin(ranges: readonly RangeAnswer[], seen: number) {
    const [journal, headRange, ...rest] = ranges;
    const found = decodeId(journal?.values[0]?.value ?? Buffer.alloc(0));
    const value = headRange?.values[0]?.value;
    if (found === undefined || !value) throw vanished(this.#journalId);
    if (found !== this.#journalId) throw foreignJournal(this.#journalId, found);
    const head = decodeHead(value);
    if (head.index < seen) throw headWentBack(head.index, seen);
    this.#seen = Math.max(this.#seen, head.index);
    return { head, rest };
  }

  /** Up to `count` batches after an index; with the one before them if `last` is not that. */
  async #page(after: number, last: Head | undefined, count: number) {
    const linked = after === 0 ? emptyHead : last;
    const key = this.#keys.batch(linked ? after + 1 : after);
    const range = opRange({ key, end: this.#keys.batch(after + 1 + count) });
    const { head, rest } = await this.#read([range]);
    const slots = this.#slots(rest[0]);
    const before = slots[0]?.index === after && !linked ? slots.shift() : undefined;
    const link = before ? { ...emptyHead, index: after, hash: before.hash } : linked;
    const [first] = slots;
    if (first && first.index !== after + 1) return { head, link, slots: [] };
    return { head, link, slots };
  }

  async #missing(index: number): Promise<JournalHalt> {
    const trimmed = await this.trimmed();
    return index <= trimmed ? trimmedAway(index, trimmed) : gap(index, undefined);
  }

  #slots(answer: RangeAnswer | undefined): Slot[] {
    const values = answer?.values ?? [];
    return values.map(({ key, value }) => decodeSlot(this.#keys.indexOf(key), value));
  }

  #remember(found: StoredBatch[]): StoredBatch[] {
    const last = found.at(-1);
    if (last) this.#last = headOf(last);
    return found;
  }
}

/** How many batches to ask for next: what fits into the bytes that are left, by what was found so far. */
function pageOf(bytesLeft: number, found: readonly StoredBatch[]): number {
  if (found.length === 0) return bytesLeft > 1 ? firstPage : 1;
  const average = found.reduce((sum, { bytes }) => sum + bytes.length, 0) / found.length;
  return Math.min(pageMax, Math.max(1, Math.floor(bytesLeft / Math.max(1, average))));
}

function trusted({ index, previousHash }: StoredBatch): Head {
  return { ...emptyHead, index: index - 1, hash: previousHash };
}

function decoded({ index, hash, bytes }: Slot): StoredBatch {
  const batch = decodeBatch(bytes, index);
  if (batch.hash === hash && batch.index === index) return batch;
  throw new JournalHalt("corrupt", {
    what: `the key of index ${index} holds a batch that does not belong there`,
    why: "its index or its hash differs from the key's",
    todo: "Check etcd's members (etcdctl endpoint hashkv), then restore etcd from a backup",
  });
}

function occupied(index: number, slots: number): JournalHalt {
  return new JournalHalt("corrupt", {
    what: `the head is at index ${index - 1} and yet index ${index} cannot be written`,
    why: slots > 0 ? "a batch stands there already" : "the compares of etcd contradict each other",
    todo: "Keep the journal's prefix to Skein; restore etcd from a backup",
  });
}

function vanished(journalId: string): JournalHalt {
  return new JournalHalt("head_went_back", {
    what: `journal ${journalId} is gone from etcd`,
    why: "its id or its head was deleted",
    todo: "Do not start workers against it; restore etcd from a backup",
  });
}

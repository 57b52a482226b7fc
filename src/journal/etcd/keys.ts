// What a journal is in etcd: a few keys below its prefix.
//
//     prefix/journal                  "skein journal 1 <journal id>"
//     prefix/head                     the head, 64 bytes, see below
//     prefix/batch/0000000000000001   SHA-256 of the batch (32 bytes), then the encoded batch
//     prefix/batch/0000000000000002   …
//
// etcd compares values byte by byte and knows =, < and > only. The head is laid out so that two such
// compares are the whole fence (E2):
//
//     head = index (8 bytes) | hash (32) | term (8) | batch id (16)      numbers big-endian
//
//     head > index | hash                 ⎫  the index is the expected one, the hash is the one that the
//     head < index | hash | term + 1      ⎭  batch continues, and the term is at most the batch's
//
// There is no record of what was trimmed: the journal begins where the oldest batch stands. A record
// would be a write, which etcd refuses when its quota is used up; deletes it takes, and that is when
// a trim is needed most.

import type { EncodedBatch } from "../batch.ts";
import { JournalHalt } from "../halt.ts";
import { emptyHead, type Head } from "../journal.ts";
import { valueIs } from "./messages.ts";

const idMark = "skein journal 1 ";
const headBytes = 64;
const hashBytes = 32;
/** 2^53 has as many. */
const indexDigits = 16;

export class JournalKeys {
  readonly journal: string;
  readonly head: string;
  /** The range of every key of this journal. */
  readonly all: readonly [from: string, end: string];
  readonly #batch: string;

  constructor(prefix: string) {
    this.journal = `${prefix}journal`;
    this.head = `${prefix}head`;
    this.all = [prefix, `${prefix.slice(0, -1)}0`]; // "0" comes right after "/".
    this.#batch = `${prefix}batch/`;
  }

  batch(index: number): string {
    return `${this.#batch}${String(index).padStart(indexDigits, "0")}`;
  }

  indexOf(key: Buffer): number {
    return Number(key.toString("latin1").slice(this.#batch.length));
  }

  /** What must hold for a batch to be the next one. */
  fence({ index, term, previousHash }: EncodedBatch): Buffer[] {
    const place = Buffer.concat([u64(index - 1), Buffer.from(previousHash, "hex")]);
    const above = Buffer.concat([place, u64(term + 1)]);
    return [valueIs(this.head, ">", place), valueIs(this.head, "<", above)];
  }
}

export function encodeId(journalId: string): string {
  return `${idMark}${journalId}`;
}

/** Undefined if it is not the mark of a journal. */
export function decodeId(value: Buffer): string | undefined {
  const text = value.toString();
  return text.startsWith(idMark) ? text.slice(idMark.length) : undefined;
}

export function encodeHead({ index, term, hash, batchId }: Head): Buffer {
  const ids = [Buffer.from(hash, "hex"), u64(term), Buffer.from(batchId, "hex")];
  return Buffer.concat([u64(index), ...ids]);
}

export function decodeHead(value: Buffer): Head {
  if (value.length !== headBytes) {
    throw new JournalHalt("corrupt", {
      what: `the head of the journal in etcd has ${value.length} bytes instead of ${headBytes}`,
      why: "something else has written to its key",
      todo: "Keep the journal's prefix to Skein; restore etcd from a backup",
    });
  }
  return {
    index: Number(value.readBigUInt64BE(0)),
    hash: value.toString("hex", 8, 40),
    term: Number(value.readBigUInt64BE(40)),
    batchId: value.toString("hex", 48),
  };
}

export const firstHead: Buffer = encodeHead(emptyHead);

export function encodeSlot({ hash, bytes }: EncodedBatch): Buffer {
  return Buffer.concat([Buffer.from(hash, "hex"), bytes]);
}

export interface Slot {
  readonly index: number;
  readonly hash: string;
  readonly bytes: Buffer;
}

export function decodeSlot(index: number, value: Buffer): Slot {
  return {
    index,
    hash: value.toString("hex", 0, hashBytes),
    bytes: value.subarray(hashBytes),
  };
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

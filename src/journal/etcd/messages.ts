// The messages of etcd's gRPC API that we use, and the numbers of their fields (etcd's rpc.proto,
// kv.proto; the same from 3.4 on).

import { bytesField, fieldsOf, messageField, numberField, type Field } from "./protobuf.ts";

export const methods = {
  range: "/etcdserverpb.KV/Range",
  txn: "/etcdserverpb.KV/Txn",
  compact: "/etcdserverpb.KV/Compact",
  watch: "/etcdserverpb.Watch/Watch",
  status: "/etcdserverpb.Maintenance/Status",
  members: "/etcdserverpb.Cluster/MemberList",
  authenticate: "/etcdserverpb.Auth/Authenticate",
} as const;

export type Bytes = Uint8Array | string;

// ---- what is asked

export interface RangeAsk {
  readonly key: Bytes;
  /** Exclusive; the key alone unless given. */
  readonly end?: Bytes;
  readonly limit?: number;
  readonly keysOnly?: boolean;
}

/** Linearizable: `serializable` is never set. */
export function range({ key, end = "", limit = 0, keysOnly = false }: RangeAsk): Buffer {
  return Buffer.concat([
    bytesField(1, key),
    bytesField(2, end),
    numberField(3, limit),
    numberField(8, keysOnly ? 1 : 0),
  ]);
}

export const opRange = (ask: RangeAsk): Buffer => messageField(1, range(ask));
export const opPut = (key: Bytes, value: Bytes): Buffer =>
  messageField(2, bytesField(1, key), bytesField(2, value));
export const opDelete = (key: Bytes, end: Bytes): Buffer =>
  messageField(3, bytesField(1, key), bytesField(2, end));

const comparisons = { "=": 0, ">": 1, "<": 2 } as const;

/** Holds if the key exists and its value compares so, byte by byte. */
export function valueIs(key: Bytes, comparison: keyof typeof comparisons, value: Bytes): Buffer {
  const [result, target] = [numberField(1, comparisons[comparison]), numberField(2, 3)];
  return Buffer.concat([result, target, bytesField(3, key), bytesField(7, value)]);
}

/** Holds if nothing stands at the key, or anywhere before `end`: its create revision is 0. */
export function isAbsent(key: Bytes, end: Bytes = ""): Buffer {
  return Buffer.concat([numberField(2, 1), bytesField(3, key), bytesField(64, end)]);
}

export interface TxnAsk {
  readonly compare?: readonly Buffer[];
  readonly success: readonly Buffer[];
  readonly failure?: readonly Buffer[];
}

export function txn({ compare = [], success, failure = [] }: TxnAsk): Buffer {
  return Buffer.concat([
    ...compare.map((one) => messageField(1, one)),
    ...success.map((one) => messageField(2, one)),
    ...failure.map((one) => messageField(3, one)),
  ]);
}

/** With `physical` the answer waits until the space is free on the member that is asked. */
export function compaction(revision: number): Buffer {
  return Buffer.concat([numberField(1, revision), numberField(2, 1)]);
}

/** From now on, puts only. */
export function watchKey(key: Bytes): Buffer {
  const withoutDeletes = messageField(5, Buffer.from([1]));
  return messageField(1, bytesField(1, key), withoutDeletes);
}

export function credentials(name: string, password: string): Buffer {
  return Buffer.concat([bytesField(1, name), bytesField(2, password)]);
}

// ---- what is answered

export interface Header {
  /** Hex. */
  readonly clusterId: string;
  readonly memberId: string;
  readonly revision: number;
}

/** Every answer of etcd begins with it. */
export function headerOf(answer: Buffer): Header {
  const fields = fieldsOf(bytesOf(fieldsOf(answer), 1));
  return {
    clusterId: idOf(fields, 1),
    memberId: idOf(fields, 2),
    revision: numberOf(fields, 3),
  };
}

export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface RangeAnswer {
  readonly values: readonly KeyValue[];
}

function rangeAnswer(answer: Buffer): RangeAnswer {
  const values = manyOf(fieldsOf(answer), 2).map((one) => {
    const parts = fieldsOf(one);
    return { key: bytesOf(parts, 1), value: bytesOf(parts, 5) };
  });
  return { values };
}

export interface TxnAnswer {
  readonly header: Header;
  /** Whether all compares held, so that `success` was done and not `failure`. */
  readonly succeeded: boolean;
  /** Of its ranges, in order; an empty one for each other operation. */
  readonly ranges: readonly RangeAnswer[];
}

export function txnAnswer(answer: Buffer): TxnAnswer {
  const fields = fieldsOf(answer);
  return {
    header: headerOf(answer),
    succeeded: numberOf(fields, 2) === 1,
    ranges: manyOf(fields, 3).map((one) => rangeAnswer(bytesOf(fieldsOf(one), 1))),
  };
}

export interface Status {
  readonly header: Header;
  readonly version: string;
  /** Member id of the leader as this member knows it; "0" if it knows none. */
  readonly leader: string;
  readonly isLearner: boolean;
  /** Of the file, and of what in it is used. */
  readonly bytes: number;
  readonly bytesInUse: number;
  /** From 3.6 on; 0 before. */
  readonly quota: number;
  /** Alarms that are raised, and the lack of a leader. */
  readonly errors: readonly string[];
}

export function statusAnswer(answer: Buffer): Status {
  const fields = fieldsOf(answer);
  return {
    header: headerOf(answer),
    version: textOf(fields, 2),
    leader: idOf(fields, 4),
    isLearner: numberOf(fields, 10) === 1,
    bytes: numberOf(fields, 3),
    bytesInUse: numberOf(fields, 9),
    quota: numberOf(fields, 12),
    errors: manyOf(fields, 8).map((one) => one.toString()),
  };
}

/** The number of voting members. */
export function membersAnswer(answer: Buffer): number {
  return manyOf(fieldsOf(answer), 2).filter((one) => numberOf(fieldsOf(one), 5) === 0).length;
}

export function tokenAnswer(answer: Buffer): string {
  return textOf(fieldsOf(answer), 2);
}

/** Whether a watch was ended by etcd, and why. */
export function watchEnded(answer: Buffer): string | undefined {
  const fields = fieldsOf(answer);
  const canceled = numberOf(fields, 4) === 1;
  return canceled ? `etcd ended the watch: ${textOf(fields, 6)}` : undefined;
}

const nothing: Buffer = Buffer.alloc(0);

function manyOf(fields: readonly Field[], wanted: number): Buffer[] {
  return fields.filter(({ field }) => field === wanted).map(({ bytes }) => bytes);
}

function bytesOf(fields: readonly Field[], wanted: number): Buffer {
  return fields.find(({ field }) => field === wanted)?.bytes ?? nothing;
}

function textOf(fields: readonly Field[], wanted: number): string {
  return bytesOf(fields, wanted).toString();
}

function numberOf(fields: readonly Field[], wanted: number): number {
  return Number(fields.find(({ field }) => field === wanted)?.value ?? 0n);
}

function idOf(fields: readonly Field[], wanted: number): string {
  return (fields.find(({ field }) => field === wanted)?.value ?? 0n).toString(16);
}

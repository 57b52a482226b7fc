// The public face of the journal, `skein/journal`: for engines and tools of your own.
//
//     import { encodeBatch, newBatchId, openJournal } from "skein/journal";
//
//     await using journal = await openJournal("sqlite:/var/lib/skein/journal.db");
//     const head = await journal.head();
//     const batch = encodeBatch({
//       journalId: journal.journalId, index: head.index + 1, term: head.term,
//       batchId: newBatchId(), previousHash: head.hash, format: 1, time: 0, wall: Date.now(),
//       bytes: new TextEncoder().encode("entries"),
//     });
//     const result = await journal.append(head.index, batch);   // appended | conflict | …
//     for (const { index, bytes } of await journal.readAfter(0)) console.log(index, bytes.length);
//
// An engine of your own passes when every one of `journalCases` runs without throwing.

export { decodeBatch, encodeBatch, newBatchId, newJournalId } from "./batch.ts";
export type { EncodedBatch } from "./batch.ts";
export { checkNext, headOf } from "./chain.ts";
export { journalCases } from "./conformance.ts";
export type { DurableBench, JournalBench, JournalCase } from "./conformance.ts";
export { openJournal } from "./engines.ts";
export type { OpenJournalOptions } from "./engines.ts";
export { EtcdJournal, openEtcdJournal } from "./etcd.ts";
export type { EtcdJournalOptions } from "./etcd.ts";
export type { EtcdSettings } from "./etcd/preflight.ts";
export { JournalHalt } from "./halt.ts";
export type { HaltKind } from "./halt.ts";
export { emptyHead, zeroHash } from "./journal.ts";
export type {
  AppendResult,
  Batch,
  BatchHeader,
  Head,
  Journal,
  JournalUsage,
  RefusalCode,
  StoredBatch,
} from "./journal.ts";
export { MemoryJournal, MemoryStore, openMemoryJournal } from "./memory.ts";
export type { MemoryFault, MemoryJournalOptions } from "./memory.ts";
export { openSqliteJournal, SqliteJournal } from "./sqlite.ts";
export type { SqliteJournalOptions } from "./sqlite.ts";
export { EngineUnavailable } from "./unavailable.ts";

// A journal that begins in the middle: for a cluster that is restored from a backup. All before its first batch
// counts as trimmed.

import type { EncodedBatch } from "./batch.ts";
import { closeConnection, openConnection, pragma } from "./sqlite-connection.ts";
import { JournalHalt } from "./halt.ts";

/** Makes the file; it must be new. */
export function beginSqliteJournal(path: string, first: EncodedBatch): void {
  const { journalId, index, term, batchId, hash, bytes } = first;
  const ask = { path, journalId, bytesMax: undefined, unsafeSynchronous: undefined };
  const connection = openConnection(ask);
  const { db } = connection;
  try {
    if (Number(pragma(db, "SELECT count(*) FROM batch")) > 0) {
      throw new JournalHalt("preflight", {
        what: `a journal cannot begin at ${path}`,
        why: "there is one already",
        todo: "Choose another directory; nothing was changed",
      });
    }
    db.exec("BEGIN IMMEDIATE");
    db.prepare("INSERT INTO batch (idx, term, id, hash, bytes) VALUES (?, ?, ?, ?, ?)").run(
      index,
      term,
      Buffer.from(batchId, "hex"),
      Buffer.from(hash, "hex"),
      bytes,
    );
    db.prepare("UPDATE meta SET value = ? WHERE key = 'trimmed'").run(index - 1);
    db.exec("COMMIT");
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } finally {
    closeConnection(connection);
  }
}

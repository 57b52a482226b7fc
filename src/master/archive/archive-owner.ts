// An archive that goes over to another journal, when a cluster is restored under a new id.

import { DatabaseSync } from "@photostructure/sqlite";
import { checkJournalId } from "../../journal/batch.ts";

/** No archive may be open on the file. One that is of a third journal stays so, and is refused when it is opened. */
export function giveArchive(
  path: string,
  { from, to }: { readonly from: string; readonly to: string },
): void {
  for (const id of [from, to]) {
    checkJournalId(id);
    if (/['\\]/.test(id)) throw new TypeError(`a journal id with a quote: ${id}`);
  }
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    // Without a statement of its own: one that is not collected yet would keep the file open.
    db.exec(`UPDATE meta SET value = '${to}' WHERE key = 'journal_id' AND value = '${from}'`);
  } finally {
    db.close();
  }
}

// What SQLite's result codes mean for a journal. One place decides which of them stops a master.

import { asError } from "../lib/as-error.ts";
import { JournalHalt } from "./halt.ts";
import type { AppendResult } from "./journal.ts";

export type SqliteTrouble =
  | "busy"
  | "full"
  | "too_large"
  | "read_only"
  | "io"
  | "corrupt"
  | "not_a_database"
  | "other";

const troubles: ReadonlyMap<number, SqliteTrouble> = new Map([
  [3, "read_only"], // PERM
  [5, "busy"],
  [6, "busy"], // LOCKED
  [8, "read_only"],
  [10, "io"], // failed reads, writes, fsyncs and locks
  [11, "corrupt"],
  [13, "full"],
  [14, "io"], // CANTOPEN: the WAL or its index went away
  [15, "busy"], // PROTOCOL: lost the race for a WAL lock too often
  [18, "too_large"],
  [23, "read_only"], // AUTH
  [26, "not_a_database"],
]);

/** The file was moved or deleted under the open connection: its next commit would be lost. */
const readOnlyMoved = 1032;

export function troubleOf(error: unknown): SqliteTrouble {
  const code = codeOf(error);
  if (code === undefined) return "other";
  return code === readOnlyMoved ? "io" : (troubles.get(code & 0xff) ?? "other");
}

/** The answer of an append that SQLite did not take; throws where the master must stop. */
export function appendTrouble(error: unknown): AppendResult {
  const cause = asError(error);
  const trouble = troubleOf(error);
  switch (trouble) {
    case "full":
      return { kind: "refused", code: "no_space", why: `no space is left (${cause.message})` };
    case "too_large":
      return { kind: "refused", code: "too_large", why: cause.message };
    case "read_only":
      return { kind: "refused", code: "forbidden", why: cause.message };
    case "busy":
    case "other":
      return { kind: "unknown", cause };
    case "io":
    case "corrupt":
    case "not_a_database":
      throw haltOf(error);
    default:
      return trouble satisfies never;
  }
}

/** The halt that fits a failed disk or file; any other error as it is. */
export function haltOf(error: unknown): Error {
  const cause = asError(error);
  switch (troubleOf(error)) {
    case "io":
      return new JournalHalt("fsync_failed", {
        what: `SQLite could not read or write the journal (${describe(error)})`,
        why: "what the disk now holds is not known until the journal is opened again (J5)",
        todo: "Check the disk and its free space, then restart this master",
        cause,
      });
    case "corrupt":
    case "not_a_database":
      return new JournalHalt("corrupt", {
        what: `SQLite says the journal is damaged (${describe(error)})`,
        why: "a journal is never repaired by guessing",
        todo: "Check the disk, then restore this journal from another master or a backup",
        cause,
      });
    default:
      return cause;
  }
}

export function describe(error: unknown): string {
  const { message } = asError(error);
  const code = codeOf(error);
  return code === undefined ? message : `${message}, code ${code}`;
}

function codeOf(error: unknown): number | undefined {
  const code =
    typeof error === "object" && error !== null && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" ? code : undefined;
}

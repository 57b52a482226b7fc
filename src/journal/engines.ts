// Who keeps the contract, by the scheme of a URL:
//
//     memory:            a journal of its own, gone with the process
//     memory:name        the one of that name in this process
//     sqlite:/abs/path   one file on a local disk; sqlite:rel/path from the working directory
//     etcd://a:2379,b:2379,c:2379/prefix
//                        keys below a prefix in an etcd cluster; etcds:// with TLS
//
// To add an engine: a file that exports `open…Journal`, a line here, and `journalCases` run on it.

import type { Clock } from "../lib/clock.ts";
import { openEtcdJournal } from "./etcd.ts";
import { JournalHalt } from "./halt.ts";
import type { Journal } from "./journal.ts";
import { MemoryStore, openMemoryJournal } from "./memory.ts";
import { openSqliteJournal, type SqliteJournalOptions } from "./sqlite.ts";

export interface OpenJournalOptions {
  /** Of a new journal: its id. Of an old one: what it must be. */
  readonly journalId?: string;
  /** The quota of what the journal may occupy; none unless given. */
  readonly bytesMax?: number;
  readonly clock?: Clock;
  /** For tests of an engine only. */
  readonly testing?: NonNullable<SqliteJournalOptions["testing"]>;
}

type Open = (rest: string, options: OpenJournalOptions) => Promise<Journal>;

const engines: ReadonlyMap<string, Open> = new Map<string, Open>([
  ["memory", (name, options) => openMemoryJournal({ ...options, store: storeOf(name, options) })],
  ["sqlite", (path, options) => openSqliteJournal({ ...options, path })],
  ["etcd", (place, options) => openEtcdJournal({ ...options, url: `etcd://${place}` })],
  ["etcds", (place, options) => openEtcdJournal({ ...options, url: `etcds://${place}` })],
]);

export function openJournal(url: string, options: OpenJournalOptions = {}): Promise<Journal> {
  const colon = url.indexOf(":");
  const open = engines.get(url.slice(0, Math.max(colon, 0)));
  const rest = url.slice(colon + 1).replace(/^\/\//, "");
  if (open && (rest !== "" || url === "memory:")) return open(rest, options);
  const error = new JournalHalt("preflight", {
    what: `no journal can be opened at "${url}"`,
    why: open ? "it names no path" : `the engines are ${[...engines.keys()].join(", ")}`,
    todo: 'Name one like "sqlite:/var/lib/skein/journal.db"',
  });
  return Promise.reject(error);
}

const stores = new Map<string, MemoryStore>();

function storeOf(name: string, { journalId }: OpenJournalOptions): MemoryStore {
  const known = stores.get(name);
  if (known) return known;
  const store = new MemoryStore(journalId);
  if (name !== "") stores.set(name, store);
  return store;
}

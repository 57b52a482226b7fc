// The body of both threads of a SQLite journal. `sqlite.ts` decides which of them is asked what.
//
// It owns one connection. It answers every call with one message, in the order of the calls, except
// that long ones (trim, verify) work in slices and let others pass in between (E9).

import { parentPort } from "node:worker_threads";
import { decodeHeader } from "./batch.ts";
import { JournalHalt } from "./halt.ts";
import { readBytesDefault } from "./journal.ts";
import { closeConnection, openConnection, type Connection } from "./sqlite-connection.ts";
import { haltOf } from "./sqlite-errors.ts";
import { SqliteStore } from "./sqlite-store.ts";
import type { Answer, Ask, CallKind, Calls, RawBatch } from "./sqlite-calls.ts";

/** Larger ones are handed over, smaller ones are cheaper to copy. */
const transferBytesMin = 16 * 1024;

if (!parentPort) throw new Error("sqlite-thread.ts runs as a worker thread only");
const port = parentPort;

/** Q3: the connection is held here for as long as the thread lives. */
let connection: Connection | undefined;
let store: SqliteStore | undefined;
/** The first I/O error ends the connection's usefulness: what comes later gets the same halt. */
let stopped: JournalHalt | undefined;

type Handlers = {
  readonly [K in CallKind]: (
    ask: Calls[K]["ask"],
  ) => Calls[K]["answer"] | Promise<Calls[K]["answer"]>;
};

const handlers: Handlers = {
  open(ask) {
    connection = openConnection(ask);
    store = new SqliteStore(connection);
    const { journalId, pageBytes, settings } = connection;
    return { journalId, pageBytes, settings };
  },
  append: ({ bytes, hash }) => opened().append({ ...decodeHeader(bytes), bytes, hash }),
  head: () => opened().head(),
  trimmed: () => opened().trimmed(),
  read: ({ index }) => opened().read(index),
  readAfter: ({ index, limitBytes }) => opened().readAfter(index, limitBytes),
  async trim({ below }) {
    while (opened().trimSlice(below)) await pause();
    return null;
  },
  async verify({ from }) {
    const head = opened().head();
    let last = Math.max((from ?? 1) - 1, opened().trimmed());
    while (last < head.index) {
      // A trim may overtake the walk; what is gone needs no verifying.
      last = Math.max(last, opened().trimmed());
      last += opened().readAfter(last, readBytesDefault).length;
      await pause();
    }
    return null;
  },
  checkpoint: () => opened().checkpoint(),
  usage: () => opened().usage(),
  close() {
    if (connection) closeConnection(connection);
    return null;
  },
};

port.on("message", (ask: Ask) => void answer(ask));

async function answer({ id, kind, ask }: Ask): Promise<void> {
  try {
    if (stopped && kind !== "close") throw stopped;
    // The table of handlers and the asks share their keys; the compiler cannot see the pair.
    const handle = handlers[kind] as (ask: unknown) => unknown;
    const given = handle(ask);
    const result = given instanceof Promise ? await given : given;
    port.postMessage({ id, kind: "answer", answer: result } satisfies Answer, handedOver(result));
  } catch (error) {
    port.postMessage(failure(id, error));
  }
}

function failure(id: number, error: unknown): Answer {
  const found = haltOf(error);
  if (!(found instanceof JournalHalt)) return { id, kind: "error", cause: found };
  if (found.kind === "fsync_failed") stopped = found;
  return { id, kind: "halt", halt: found.kind, text: found.message };
}

function handedOver(result: unknown): ArrayBuffer[] {
  if (!Array.isArray(result)) return [];
  return (result as RawBatch[]).flatMap(({ bytes: { buffer, byteLength } }) =>
    buffer instanceof ArrayBuffer && byteLength >= transferBytesMin ? [buffer] : [],
  );
}

function opened(): SqliteStore {
  if (!store) throw new Error("the journal is not open");
  return store;
}

/** Lets waiting messages be handled first. */
function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

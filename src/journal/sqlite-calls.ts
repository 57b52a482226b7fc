// What passes between the SQLite engine and its two threads: one message each way per call.
//
// C1  Every call ends: with its answer, with the halt that stopped the thread, or at its time limit.
// C2  A thread that died answers all that waits for it, and all that comes later.

import type { Worker } from "node:worker_threads";
import type { Clock } from "../lib/clock.ts";
import { haltFromText, JournalHalt, type HaltKind } from "./halt.ts";
import type { AppendResult, Head } from "./journal.ts";

export interface OpenAsk {
  readonly path: string;
  readonly journalId: string | undefined;
  readonly bytesMax: number | undefined;
  /** Tests only: what `PRAGMA synchronous` is set to instead of FULL, unchecked. */
  readonly unsafeSynchronous: string | undefined;
}

export interface Opened {
  readonly journalId: string;
  readonly pageBytes: number;
  readonly settings: SqliteSettings;
}

/** Read back from the open connection, not what was asked for. */
export interface SqliteSettings {
  readonly version: string;
  readonly journalMode: string;
  readonly synchronous: number;
}

export interface RawBatch {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** Every call with what it asks and what it answers. The thread's handlers have the same keys. */
export interface Calls {
  open: { ask: OpenAsk; answer: Opened };
  append: { ask: { bytes: Uint8Array; hash: string }; answer: AppendResult };
  head: { ask: null; answer: Head };
  trim: { ask: { below: number }; answer: null };
  trimmed: { ask: null; answer: number };
  read: { ask: { index: number }; answer: RawBatch | null };
  readAfter: { ask: { index: number; limitBytes: number }; answer: RawBatch[] };
  verify: { ask: { from: number | undefined }; answer: null };
  checkpoint: { ask: null; answer: { walBytes: number } };
  usage: { ask: null; answer: { bytes: number } };
  close: { ask: null; answer: null };
}

export type CallKind = keyof Calls;

export interface Ask<K extends CallKind = CallKind> {
  readonly id: number;
  readonly kind: K;
  readonly ask: Calls[K]["ask"];
}

export type Answer =
  | { readonly id: number; readonly kind: "answer"; readonly answer: unknown }
  | { readonly id: number; readonly kind: "halt"; readonly halt: HaltKind; readonly text: string }
  | { readonly id: number; readonly kind: "error"; readonly cause: Error };

interface Waiting {
  readonly settle: (answer: Answer) => void;
  readonly fail: (error: Error) => void;
}

export class ThreadCaller {
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #dead: JournalHalt | undefined;

  constructor(worker: Worker, clock: Clock) {
    this.#worker = worker;
    this.#clock = clock;
    worker.on("message", (answer: Answer) => this.#waiting.get(answer.id)?.settle(answer));
    worker.on("error", (error) => this.#die(error));
    this.#exited = new Promise((resolve) => {
      worker.once("exit", (code) => {
        this.#die(new Error(`the thread ended with code ${code}`));
        resolve();
      });
    });
  }

  call<K extends CallKind>(
    kind: K,
    ask: Calls[K]["ask"],
    limitMs: number,
  ): Promise<Calls[K]["answer"]> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return reject(this.#dead);
      const id = ++this.#lastId;
      const cancel = this.#clock.after(limitMs, () => {
        this.#waiting.delete(id);
        reject(new Error(`the journal did not answer "${kind}" within ${limitMs} ms`));
      });
      const done = () => {
        cancel();
        this.#waiting.delete(id);
      };
      this.#waiting.set(id, {
        settle: (answer) => {
          done();
          if (answer.kind === "halt") reject(haltFromText(answer.halt, answer.text));
          else if (answer.kind === "error") reject(answer.cause);
          // The thread's handler of this kind is typed by the same table.
          else resolve(answer.answer as Calls[K]["answer"]);
        },
        fail: (error) => {
          done();
          reject(error);
        },
      });
      this.#worker.postMessage({ id, kind, ask } satisfies Ask<K>);
    });
  }

  /** Lets the thread close its database and end; kills it if it does not within `limitMs`. */
  async close(limitMs: number): Promise<void> {
    await this.call("close", null, limitMs).catch(() => {
      // Dead or stuck: ending it is all that is left, and what was acknowledged is on the disk.
    });
    await this.#worker.terminate();
    await this.#exited;
  }

  #die(cause: Error): void {
    this.#dead ??= new JournalHalt("engine_failed", {
      what: "the thread of the SQLite journal is gone",
      why: cause.message,
      todo: "Open the journal again; what was acknowledged is in it",
      cause,
    });
    for (const { fail } of this.#waiting.values()) fail(this.#dead);
  }
}

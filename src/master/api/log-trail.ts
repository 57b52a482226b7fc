// One log for one reader, from whoever has it (docs/logs.md): this master's copy if it is whole; else the worker; else
// this master's copy as far as it goes, or another master's. What nobody has is said.
//
//   LT1  A position is sent once. A part that is missing is a record that says so, and where the log goes on.
//   LT2  A log whose worker may still come, and have more, is cut and not ended: its reader asks again.

import type { SkeinError } from "../../protocol/errors.ts";
import { encodeLogMissing, LogRecordReader } from "../../protocol/log-record.ts";
import type { LogAsk } from "../log-relay.ts";
import type { LogBytes } from "../logs/log-calls.ts";
import type { ApiContext } from "./handlers.ts";
import type { LogBody, ResponseEvents } from "./log-pieces.ts";
import { LogPieces } from "./log-pieces.ts";

export interface Ran {
  readonly job: string;
  readonly attempt: number;
  /** Its id; "" when nobody knows it any more. */
  readonly worker: string;
  /** It has not ended, as far as is known here. */
  readonly live: boolean;
}

export interface TrailOptions {
  readonly ran: Ran;
  readonly task: number;
  readonly from: number;
  readonly follow: boolean;
  /** The worker's number; undefined when it is unknown here. */
  readonly worker: number | undefined;
  /** Whether the worker may come back: it is not lost. */
  readonly mayCome: () => Promise<boolean>;
  /** There is nothing at all, and why. */
  readonly nothing: (why: string, away: boolean) => Promise<SkeinError>;
}

export class LogTrail {
  readonly #context: ApiContext;
  readonly #o: TrailOptions;
  readonly #silent = new Set<string>();
  #position: number;
  /** The worker sends it. */
  #pieces: LogPieces | undefined;
  #first: LogBytes | null = null;
  /** Of what was sent. */
  readonly #records = new LogRecordReader();
  #away = false;
  /** Why the worker does not. */
  #why = "";

  constructor(context: ApiContext, options: TrailOptions) {
    this.#context = context;
    this.#o = options;
    this.#position = options.from;
  }

  /** Finds where the first bytes are. Resolves with what is known to be missing. @throws SkeinError when there is no log */
  async begin(response: ResponseEvents): Promise<string | undefined> {
    if (await this.#ownWhole()) return undefined;
    const { from, worker, ran } = this.#o;
    this.#why = `worker ${ran.worker || "?"}, which ran it, is unknown here`;
    if (worker !== undefined) {
      const pieces = new LogPieces(this.#context, this.#ask(worker));
      const problem = await pieces.begun(response);
      if (problem === undefined) {
        this.#pieces = pieces;
        return undefined;
      }
      this.#why = problem;
      this.#away = pieces.away;
    }
    const { master } = this.#context;
    // A leader may have the worker that this one has not.
    if (ran.live && this.#away && !master.loop.leads) throw await this.#nothing();
    this.#first = await this.#next();
    if (!this.#first) {
      // Its reader has what came before; only the end is not there.
      if (from === 0 || (await this.#o.mayCome())) throw await this.#nothing();
      return this.#endWords();
    }
    const { offset, end } = this.#first;
    if (offset > from) return hole(from, offset);
    return end === null ? this.#endWords() : undefined;
  }

  /** Sent up to here. */
  get position(): number {
    return this.#position;
  }

  /** Resolves with true when the log is whole, or what is missing was said; else the reader is to be cut. */
  async copy(to: LogBody): Promise<boolean> {
    const body = this.#watched(to);
    if (this.#pieces) {
      const problem = await this.#pieces.copy(body);
      this.#position = this.#pieces.next;
      if (problem === undefined) return true;
      this.#why = problem;
      this.#away = this.#pieces.away;
    }
    if (await this.#copyKept(body)) return true;
    const mayGoOn = this.#o.follow || this.#pieces !== undefined;
    if (this.#away && mayGoOn && (await this.#o.mayCome())) return false;
    if (!this.#records.idle) return false;
    await body.write(missing(this.#position, this.#endWords()));
    return true;
  }

  /** Within a record nothing else can be said: the reader is cut, and asks from where that record begins. */
  #watched(body: LogBody): LogBody {
    return {
      begin: () => body.begin(),
      onStop: (listener) => body.onStop(listener),
      write: (bytes) => {
        this.#records.push(bytes);
        return body.write(bytes);
      },
    };
  }

  /** Returns whether the end of the log was reached. */
  async #copyKept(body: LogBody): Promise<boolean> {
    for (;;) {
      const found = this.#first ?? (await this.#next());
      this.#first = null;
      if (!found) return false;
      const { offset, bytes, end } = found;
      if (bytes.length === 0) return end !== null && end <= this.#position;
      if (offset > this.#position) {
        if (!this.#records.idle) return false;
        await body.write(missing(offset, hole(this.#position, offset)));
      }
      await body.write(bytes);
      this.#position = offset + bytes.length;
    }
  }

  #nothing(): Promise<SkeinError> {
    return this.#o.nothing(this.#why, this.#away);
  }

  async #ownWhole(): Promise<boolean> {
    if (this.#o.ran.live) return false;
    const { keptLogs } = this.#context.master;
    const { job, attempt } = this.#o.ran;
    const { whole, end } = await keptLogs.extent({ job, task: this.#o.task, attempt });
    if (end === null || whole < end) return false;
    this.#first = await this.#next();
    return true;
  }

  #next(): Promise<LogBytes | null> {
    const { ran, task } = this.#o;
    const { job, attempt } = ran;
    const ask = { job, task, attempt, from: this.#position };
    return this.#context.master.keptLogs.next(ask, this.#silent);
  }

  #ask(worker: number): LogAsk {
    const { ran, task, from, follow } = this.#o;
    const { job, attempt } = ran;
    return { worker, job, task, attempt, stream: "both", from, follow };
  }

  #endWords(): string {
    const silent =
      this.#silent.size > 0
        ? `; no answer from the masters at ${[...this.#silent].join(", ")}`
        : "";
    return (
      `what it printed last may be missing: ${this.#why}; ` +
      `masters have what was pushed until a moment before${silent}`
    );
  }
}

function hole(from: number, to: number): string {
  return `${to - from} bytes are missing here, from byte ${from}: no master that answers has them`;
}

function missing(next: number, words: string): Uint8Array {
  return encodeLogMissing(next, Buffer.from(`[skein] ${words}\n`));
}

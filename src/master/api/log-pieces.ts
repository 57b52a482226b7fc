// The bytes of a log as its worker sends them. A reader that is slower than its worker has the worker stop, and go on
// from where the reader is.

import type { ServerResponse } from "node:http";
import { limits } from "../../protocol/limits.ts";
import type { LogAsk } from "../log-relay.ts";
import type { BodyStream } from "./body-stream.ts";
import type { ApiContext } from "./handlers.ts";

export type ResponseEvents = Pick<ServerResponse, "on" | "off">;

/** Where the bytes of a log go: a body, or a search in front of one. */
export type LogBody = Pick<BodyStream, "begin" | "onStop" | "write">;

/** The bytes of one log, in order, no more of them in memory than a reader may keep waiting. */
export class LogPieces {
  readonly #context: ApiContext;
  readonly #ask: LogAsk;
  #next: number;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #stop = () => {};
  #paused = false;
  #ended = false;
  #problem: string | undefined;
  #away = false;
  #wake = () => {};

  constructor(context: ApiContext, ask: LogAsk) {
    this.#context = context;
    this.#ask = ask;
    this.#next = ask.from;
    this.#follow();
  }

  /** Whether the problem is that the worker is not here. */
  get away(): boolean {
    return this.#away;
  }

  /** What was taken ends here. */
  get next(): number {
    return this.#next;
  }

  /** Resolves with the first word: a problem, or undefined when there is something to read or to wait for. */
  async begun(response: ResponseEvents): Promise<string | undefined> {
    if (this.#pieces.length > 0 || this.#ended) return this.#problem;
    const gone = () => this.#end("its reader has gone");
    response.on("close", gone);
    // A followed log of an attempt that prints nothing has no first word: do not wait for it.
    const timer = this.#ask.follow ? setTimeout(() => this.#wake(), firstWordMs) : undefined;
    await this.#news();
    clearTimeout(timer);
    response.off("close", gone);
    return this.#pieces.length > 0 ? undefined : this.#problem;
  }

  /** Resolves with why it is not whole, or nothing. */
  async copy(body: LogBody): Promise<string | undefined> {
    body.onStop(() => this.#end("its reader has gone"));
    for (;;) {
      const pieces = this.#pieces;
      this.#pieces = [];
      this.#bytes = 0;
      if (pieces.length > 0) await body.write(Buffer.concat(pieces));
      else if (this.#ended) return this.#problem;
      else if (this.#paused) this.#follow();
      else {
        body.begin();
        await this.#news();
      }
    }
  }

  #follow(): void {
    this.#paused = false;
    const ask = { ...this.#ask, from: this.#next };
    const stop = this.#context.master.logs.follow(ask, {
      onChunk: (offset, bytes) => this.#take(offset, bytes),
      onEnd: (problem, away) => this.#end(problem, away),
    });
    if (this.#ended) stop();
    else this.#stop = stop;
  }

  #take(offset: number, bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    this.#next = offset + bytes.length;
    if (this.#bytes > limits.readerBytesMax) this.#pause();
    this.#wake();
  }

  #pause(): void {
    this.#paused = true;
    this.#stop();
  }

  #end(problem?: string, away = false): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#away = away;
    this.#problem = problem;
    this.#stop();
    this.#wake();
  }

  #news(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

const firstWordMs = 200;

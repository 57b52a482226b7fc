// Logs of attempts, fetched from the worker that keeps them, over its session. One request is one follower;
// chunks pass through, nothing is kept here.

import type { LogChunk, LogRequest, MasterMessage } from "../protocol/messages.ts";

export interface LogAsk {
  readonly worker: number;
  readonly job: string;
  readonly task: number;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr" | "both";
  readonly from: number;
  readonly follow: boolean;
}

export interface LogListener {
  /** Bytes of log records (see protocol/log-record.ts) from `offset`. */
  readonly onChunk: (offset: number, bytes: Uint8Array) => void;
  /** No more comes: all was sent, or `problem` says why not; `away`: that may change, the worker is not here. */
  readonly onEnd: (problem?: string, away?: boolean) => void;
}

interface Following {
  readonly worker: number;
  readonly listener: LogListener;
}

export class LogRelay {
  #next = 1;
  readonly #following = new Map<number, Following>();
  readonly #send: (worker: number, message: MasterMessage) => boolean;

  constructor(send: (worker: number, message: MasterMessage) => boolean) {
    this.#send = send;
  }

  /** Asks the worker; returns a function that ends it. */
  follow(ask: LogAsk, listener: LogListener): () => void {
    const request = this.#next++;
    const { worker, ...rest } = ask;
    const message: LogRequest = { kind: "logRequest", request, ...rest };
    this.#following.set(request, { worker, listener });
    if (!this.#send(worker, message)) {
      this.#end(request, "the worker that ran it is not connected", true);
    }
    return () => {
      if (this.#following.delete(request)) this.#send(worker, { kind: "logStop", request });
    };
  }

  chunk(worker: number, chunk: LogChunk): void {
    const following = this.#following.get(chunk.request);
    if (!following || following.worker !== worker) return;
    if (chunk.bytes.length > 0) following.listener.onChunk(chunk.offset, chunk.bytes);
    if (chunk.end) this.#end(chunk.request, chunk.problem);
  }

  /** The worker's session is gone: its followers are told. */
  gone(worker: number): void {
    for (const [request, following] of [...this.#following]) {
      if (following.worker === worker) this.#end(request, "the worker's session was cut", true);
    }
  }

  #end(request: number, problem?: string, away = false): void {
    const following = this.#following.get(request);
    this.#following.delete(request);
    following?.listener.onEnd(problem, away);
  }
}

// An answer that comes piece by piece: back-pressure, the end of the client, the end of the master.
//
//   B1. `write` resolves when more may be written; nothing piles up beyond what the socket holds.
//   B2. An answer that is not whole is cut, not ended: its reader sees that something is missing.
//   B3. No cork: Node 22 and 24 lose what is corked when `end` comes. Pieces are joined before they are written.

import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import { SkeinError } from "../../protocol/errors.ts";
import type { ApiContext } from "./handlers.ts";
import { answered } from "./handlers.ts";
import { sendRawProblem } from "./problems.ts";

/** Thrown out of a write when nobody reads any more. */
export class ReaderGone extends Error {
  override readonly name = "ReaderGone";
}

export interface StreamOptions {
  readonly reply: FastifyReply;
  readonly type: string;
  readonly status?: number;
  readonly headers?: OutgoingHttpHeaders;
  /** The master stops: what the reader should see. Cut unless the format shows where a stream ends. */
  readonly whenStopped?: "end" | "cut";
}

export class BodyStream {
  readonly #response: ServerResponse;
  readonly #writeHead: () => void;
  readonly #onStop = new Set<() => void>();
  #over = false;
  #begun = false;
  /** True while something was written since the last look: see `quiet`. */
  #busy = false;

  constructor(response: ServerResponse, writeHead: () => void) {
    this.#response = response;
    this.#writeHead = writeHead;
    response.on("close", () => this.stop());
  }

  get over(): boolean {
    return this.#over;
  }

  /** Bytes that wait in this process. */
  get waiting(): number {
    return this.#response.writableLength;
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    return this.push(bytes) ? undefined : this.drained();
  }

  /** Writes whatever waits already: whoever calls it looks at `waiting`. False when more should wait for `drained`. */
  push(bytes: Uint8Array): boolean {
    if (this.#over) throw new ReaderGone("nobody reads any more");
    this.#head();
    this.#busy = true;
    return bytes.length === 0 || this.#response.write(bytes);
  }

  /** Only while something waits. Rejects when nobody reads any more. */
  drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = () => {
        this.#response.off("drain", done);
        this.#onStop.delete(done);
        if (this.#over) reject(new ReaderGone("nobody reads any more"));
        else resolve();
      };
      this.#response.on("drain", done);
      this.#onStop.add(done);
    });
  }

  /** Nothing comes for a while: the reader gets at least the headers now. */
  begin(): void {
    if (this.#begun || this.#over) return;
    this.#head();
    this.#response.flushHeaders();
  }

  end(): void {
    if (!this.#over) this.finish();
  }

  /** Properly, though nobody may write any more. */
  finish(): void {
    this.#head();
    this.#response.end();
  }

  #head(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#writeHead();
  }

  /** True when nothing was written since it was asked before. */
  quiet(): boolean {
    const quiet = !this.#busy;
    this.#busy = false;
    return quiet;
  }

  /** Called once when there is no reader any more, or the master stops. */
  onStop(listener: () => void): void {
    if (this.#over) listener();
    else this.#onStop.add(listener);
  }

  stop(): void {
    if (this.#over) return;
    this.#over = true;
    for (const listener of [...this.#onStop]) listener();
  }
}

/** Answers with what `produce` writes. */
export async function stream(
  context: ApiContext,
  options: StreamOptions,
  produce: (body: BodyStream) => Promise<void>,
): Promise<typeof answered> {
  const { reply, type, status = 200, headers = {}, whenStopped = "cut" } = options;
  // Too late: the request has been given up.
  if (reply.sent) return answered;
  reply.hijack();
  const response = reply.raw;
  const body = new BodyStream(response, () => {
    response.writeHead(status, { "content-type": type, ...context.reads.headers(), ...headers });
  });
  let stopped = false;
  const leave = context.open.add(() => {
    stopped = true;
    body.stop();
  });
  try {
    await produce(body);
    body.end();
  } catch (error) {
    // Nothing was sent yet: it can still be said what is wrong.
    if (error instanceof SkeinError && !response.headersSent && !body.over) {
      sendRawProblem(response, error, reply.request.id);
    } else if (!(error instanceof ReaderGone)) {
      const { id: requestId, url } = reply.request;
      context.master.log.error("a stream failed", { requestId, url, error });
      response.destroy();
    }
  } finally {
    leave();
    if (stopped && whenStopped === "end") body.finish();
    else if (body.over || stopped) response.destroy();
    body.stop();
  }
  return answered;
}

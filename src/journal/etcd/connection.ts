// One HTTP/2 connection to one etcd member, and gRPC calls over it.
//
// C1  A call is written once. Nothing here repeats anything (J6).
// C2  Every call has a limit, and ends at it whatever the other side does.
// C3  A connection that failed is never used again; `ended` tells, and so does every call on it.

import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import type { IncomingHttpHeaders } from "node:http2";
import type { SecureContextOptions } from "node:tls";
import { asError } from "../../lib/as-error.ts";
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import { EngineUnavailable } from "../unavailable.ts";
import { errorOf } from "./errors.ts";
import { FrameReader, frame } from "./frames.ts";

export interface ConnectionOptions {
  /** Like "http://host:2379". */
  readonly endpoint: string;
  readonly tls: SecureContextOptions | undefined;
  readonly clock: Clock;
}

export interface CallOptions {
  readonly limitMs: number;
  readonly token?: string | undefined;
}

export interface StreamOptions {
  readonly token?: string | undefined;
  readonly onMessage: (message: Buffer) => void;
  /** Once, however it ends. */
  readonly onEnd: (error: Error) => void;
}

/** What may be under way towards us before we have read it: a page of batches. */
const windowBytes = 8 * 1024 * 1024;
/** In MB: Node's default of 10 would refuse calls beside one large page. */
const maxSessionMemory = 128;
/** The longest limit of any call: a compaction. */
const retireMs = 60_000;

export class EtcdConnection {
  readonly endpoint: string;
  /** Resolves once it is of no use any more, with the reason. */
  readonly ended: Promise<Error>;
  /** Resolves once nothing of it is left, retired or not. */
  readonly closed: Promise<void>;
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;
  #end: (error: Error) => void = () => {};
  #reason: Error | undefined;

  constructor({ endpoint, tls, clock }: ConnectionOptions) {
    this.endpoint = endpoint;
    this.#clock = clock;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const settings = { enablePush: false, initialWindowSize: windowBytes };
    this.#session = connect(endpoint, { ...tls, settings, maxSessionMemory });
    this.closed = new Promise((resolve) => this.#session.once("close", () => resolve()));
    this.#session.on("connect", () => this.#session.setLocalWindowSize(windowBytes));
    this.#session.on("error", (error) => this.destroy(error));
    this.#session.on("goaway", () => this.#over(new Error("the member is closing connections")));
    this.#session.on("close", () => this.#over(new Error("the connection was closed")));
  }

  get isOpen(): boolean {
    return this.#reason === undefined;
  }

  /** One question, one answer. Rejects with `EngineUnavailable`, `EtcdRefusal` or a halt. */
  call(method: string, message: Uint8Array, options: CallOptions): Promise<Buffer> {
    const { limitMs, token } = options;
    return new Promise((resolve, reject) => {
      let answer: Buffer | undefined;
      const stream = this.#request(method, token, {
        limitMs,
        onMessage: (one) => (answer ??= one),
        onEnd: (error) => {
          cancel();
          if (error) reject(error);
          else if (answer) resolve(answer);
          else reject(this.#unavailable("the answer is empty"));
        },
      });
      const cancel = stream ? this.#limit(stream, limitMs) : () => {};
      stream?.end(frame(message));
    });
  }

  /** One question, many answers, until `onEnd`. Returns a function that ends it. */
  stream(method: string, message: Uint8Array, options: StreamOptions): () => void {
    const { token, onMessage, onEnd } = options;
    const stream = this.#request(method, token, {
      onMessage,
      onEnd: (error) => onEnd(error ?? this.#unavailable("the stream was ended")),
    });
    stream?.write(frame(message));
    return () => stream?.close(constants.NGHTTP2_CANCEL);
  }

  /** Takes no more calls, and closes when those under way have ended; a silent peer keeps it no longer. */
  retire(): void {
    this.#over(new Error("another member is asked from now on"));
    this.#session.close();
    this.#clock.after(retireMs, () => this.#session.destroy());
  }

  destroy(error: Error): void {
    this.#over(error);
    this.#session.destroy();
  }

  #over(error: Error): void {
    this.#reason ??= error;
    this.#end(this.#reason);
  }

  #request(method: string, token: string | undefined, exchange: Exchange) {
    try {
      if (this.#reason) throw this.#reason;
      const stream = this.#session.request(headersOf(method, token, exchange.limitMs));
      new Reply(stream, exchange, (why, cause) => this.#unavailable(why, cause));
      return stream;
    } catch (error) {
      const failed = this.#unavailable("the connection is closed", error);
      queueMicrotask(() => exchange.onEnd(failed));
      return undefined;
    }
  }

  /**
   * C2. When a timer of ours is late because this process was busy, the answer may lie unread in the
   * socket: `setImmediate` comes after the next look at sockets.
   */
  #limit(stream: ClientHttp2Stream, limitMs: number): CancelTimer {
    return this.#clock.after(limitMs, () =>
      setImmediate(() => {
        const late = this.#unavailable(`no answer within ${Math.round(limitMs)} ms`);
        stream.destroy(late);
      }),
    );
  }

  #unavailable(why: string, given?: unknown): EngineUnavailable {
    const cause = rootOf(this.#reason ?? given);
    const detail = cause === undefined ? "" : ` (${asError(cause).message})`;
    return new EngineUnavailable(`${this.endpoint}: ${why}${detail}`, { cause });
  }
}

/** A call that waited for a connection which could not be made names that only as its cause. */
function rootOf(error: unknown): unknown {
  const wraps =
    error instanceof Error && "code" in error && error.code === "ERR_HTTP2_STREAM_CANCEL";
  return wraps ? (error.cause ?? error) : error;
}

interface Exchange {
  readonly limitMs?: number;
  readonly onMessage: (message: Buffer) => void;
  /** Once; without an error if etcd says that all went well. */
  readonly onEnd: (error: Error | undefined) => void;
}

type Unavailable = (why: string, cause?: unknown) => EngineUnavailable;

/** Reads one reply: headers, messages, and a status in the headers or after the last message. */
class Reply {
  readonly #exchange: Exchange;
  readonly #unavailable: Unavailable;
  readonly #frames = new FrameReader();
  #status: string | undefined;
  #message = "";
  #settled = false;

  constructor(stream: ClientHttp2Stream, exchange: Exchange, unavailable: Unavailable) {
    this.#exchange = exchange;
    this.#unavailable = unavailable;
    stream.on("response", (headers) => {
      const type = headers["content-type"] ?? "";
      if (headers[":status"] !== 200 || !type.startsWith("application/grpc")) {
        this.#settle(unavailable(`answers HTTP ${headers[":status"]}, not gRPC`));
        stream.close(constants.NGHTTP2_CANCEL);
      } else this.#readStatus(headers);
    });
    stream.on("trailers", (headers) => this.#readStatus(headers));
    stream.on("data", (chunk: Buffer) => {
      try {
        for (const message of this.#frames.push(chunk)) this.#exchange.onMessage(message);
      } catch (error) {
        stream.destroy(asError(error));
      }
    });
    stream.on("end", () => {
      if (this.#status !== undefined) this.#settle(undefined);
    });
    stream.on("error", (error: Error) =>
      this.#settle(
        error instanceof EngineUnavailable ? error : unavailable("the call was cut off", error),
      ),
    );
    stream.on("close", () => this.#settle(undefined));
  }

  #readStatus(headers: IncomingHttpHeaders): void {
    const status = headers["grpc-status"];
    if (status === undefined) return;
    this.#status = String(status);
    this.#message = decodeMessage(String(headers["grpc-message"] ?? ""));
  }

  #settle(error: Error | undefined): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#exchange.onEnd(error ?? this.#outcome());
  }

  #outcome(): Error | undefined {
    if (this.#status === undefined) return this.#unavailable("the call was cut off");
    return this.#status === "0" ? undefined : errorOf(Number(this.#status), this.#message);
  }
}

function headersOf(method: string, token: string | undefined, limitMs: number | undefined) {
  return {
    ":method": "POST",
    ":path": method,
    "content-type": "application/grpc",
    te: "trailers",
    // A stream that never ends asks to be told when its member has lost the others.
    ...(limitMs === undefined
      ? { hasleader: "true" }
      : { "grpc-timeout": `${Math.max(1, Math.ceil(limitMs))}m` }),
    ...(token !== undefined && { token }),
  };
}

function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A stray percent sign in an error message is no reason for another error.
  }
}

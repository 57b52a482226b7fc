// A WebSocket as a session's connection: MessagePack frames [n, ack, messages] (W4), checked as they come, one
// write per turn of the event loop. Used by worker sessions and between masters.

import { decode, encode } from "@msgpack/msgpack";
import { WebSocket } from "ws";
import type { Clock } from "../lib/clock.ts";
import { limits } from "../protocol/limits.ts";

export interface WireOptions<Sent, Received> {
  readonly remote: string;
  /** Messages as they came, as messages that have their shape; throws when they have not. */
  readonly check: (messages: readonly unknown[]) => readonly Received[];
  /** Bytes of a message, about; small ones need no exact one. */
  readonly weight?: (message: Sent) => number;
}

/** More than this unsent: the other side does not read, and is cut off. */
const unsentBytesMax = 64 * 1024 * 1024;
const weightDefault = 256;

export class Wire<Sent, Received> {
  readonly remote: string;
  readonly #socket: WebSocket;
  readonly #options: WireOptions<Sent, Received>;
  #sent = 0;
  #received = 0;
  #queue: Sent[] = [];
  #flushing = false;
  closing = false;

  constructor(socket: WebSocket, options: WireOptions<Sent, Received>) {
    this.#socket = socket;
    this.#options = options;
    this.remote = options.remote;
  }

  /** No messages: a ping, unless something is on its way in any case. */
  send(messages: readonly Sent[]): void {
    if (messages.length === 0 && this.#queue.length === 0) return this.#write([]);
    for (const message of messages) this.#queue.push(message);
    if (this.#flushing) return;
    this.#flushing = true;
    process.nextTick(() => this.#flush());
  }

  close(reason: string): void {
    if (this.closing) return;
    this.closing = true;
    this.#flush();
    // A close frame holds 123 bytes.
    this.#socket.close(1000, reason.replace(/[^\x20-\x7e]/g, "?").slice(0, 120));
    // A peer that does not answer the close is cut.
    setTimeout(() => this.#socket.terminate(), 1_000).unref();
  }

  read(data: Uint8Array): readonly Received[] {
    const frame = decode(data) as unknown;
    if (!Array.isArray(frame) || typeof frame[0] !== "number" || !Array.isArray(frame[2])) {
      throw new TypeError("a frame is [n, ack, messages]");
    }
    if (frame[0] !== this.#received + 1)
      throw new RangeError(`frame ${frame[0]} after ${this.#received}`);
    this.#received = frame[0];
    return this.#options.check(frame[2]);
  }

  /** Messages go in frames well below the limit; one message is at most about 1 MiB. */
  #flush(): void {
    this.#flushing = false;
    const queue = this.#queue;
    this.#queue = [];
    let from = 0;
    let bytes = 0;
    for (const [i, message] of queue.entries()) {
      bytes += this.#options.weight?.(message) ?? weightDefault;
      if (bytes < limits.frameBytesMax / 4) continue;
      this.#write(queue.slice(from, i + 1));
      from = i + 1;
      bytes = 0;
    }
    if (from < queue.length) this.#write(from === 0 ? queue : queue.slice(from));
  }

  #write(messages: readonly Sent[]): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount > unsentBytesMax) {
      this.#socket.terminate();
      return;
    }
    this.#sent++;
    this.#socket.send(encode([this.#sent, this.#received, messages]));
  }
}

export interface WireEvents<Received> {
  received(messages: readonly Received[]): void;
  /** A frame could not be taken; nothing behind it is. The caller closes the wire. */
  failed(error: unknown): void;
  closed(reason: string): void;
}

/** Hands over every frame of an open socket, in order, until one cannot be taken. */
export function listenTo<Sent, Received>(
  socket: WebSocket,
  wire: Wire<Sent, Received>,
  events: WireEvents<Received>,
): void {
  let reason = "the connection was cut";
  socket.on("message", (data: Buffer) => {
    // What stands behind a frame that was not taken is not taken either: it would count as received.
    if (wire.closing) return;
    try {
      events.received(wire.read(data));
    } catch (error) {
      events.failed(error);
    }
  });
  socket.on("error", (error) => {
    reason = error.message;
  });
  socket.on("close", () => events.closed(reason));
}

/** A ping every second until the function that it returns is called. */
export function keepAlive(clock: Clock, pingMs: number, beat: () => void): () => void {
  let cancel = clock.after(pingMs, function ping() {
    cancel = clock.after(pingMs, ping);
    beat();
  });
  return () => cancel();
}

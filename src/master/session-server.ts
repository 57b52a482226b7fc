// Worker sessions on the wire: a WebSocket at /v1/session, MessagePack frames [n, ack, messages] (W4), one
// write per turn of the event loop.

import { decode, encode } from "@msgpack/msgpack";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import { SkeinError, toProblem } from "../protocol/errors.ts";
import type { Problem } from "../protocol/errors.ts";
import type { MasterMessage, WorkerMessage } from "../protocol/messages.ts";
import { sessionPath } from "../protocol/routes.ts";
import type { Connection } from "./session-ports.ts";
import type { Sessions } from "./sessions.ts";
import { MessageError, WorkerMessages } from "./worker-messages.ts";

export interface SessionServerOptions {
  readonly server: Server;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly log: Log;
  /** The doors of D1, for upgrades. */
  readonly checkDoor: (request: IncomingMessage) => Problem | undefined;
}

/** Both sides say something at least this often. */
const pingMs = 1_000;
/** Pings without a word from the other side: it is no worker, or gone. A stall here is one ping only. */
const quietMax = limits.lostAfterMs / pingMs;
/** More than this unsent to one worker: it does not read, and is cut off. */
const unsentBytesMax = 64 * 1024 * 1024;

/** Takes over the server's upgrades; returns a function that closes all sessions. */
export function serveSessions(options: SessionServerOptions): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.frameBytesMax,
    perMessageDeflate: false,
  });
  options.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const problem = options.checkDoor(request);
    const path = new URL(request.url ?? "/", "http://host").pathname;
    if (problem) return rejectUpgrade(socket, problem);
    if (path !== sessionPath) {
      return rejectUpgrade(
        socket,
        toProblem(new SkeinError("not_found", "No session lives here.")),
      );
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => serve(webSocket, request, options));
  });
  return () => {
    for (const client of sockets.clients) client.terminate();
    sockets.close();
  };
}

function rejectUpgrade(socket: Duplex, problem: Problem): void {
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    "Connection: close",
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function serve(socket: WebSocket, request: IncomingMessage, options: SessionServerOptions): void {
  const { sessions, clock } = options;
  const { remoteAddress, remotePort } = request.socket;
  const wire = new Wire(socket, `${remoteAddress}:${remotePort}`);
  request.socket.setNoDelay(true);
  sessions.opened(wire);
  let reason = "the connection was cut";
  let quiet = 0;
  let beat = clock.after(pingMs, function ping() {
    if (++quiet > quietMax) return socket.terminate();
    wire.ping();
    beat = clock.after(pingMs, ping);
  });
  socket.on("message", (data: Buffer) => {
    // What stands behind a frame that was not taken is not taken either: it would count as recorded up to there.
    if (wire.closing) return;
    quiet = 0;
    try {
      const messages = wire.read(data);
      sessions.heard(wire);
      for (const message of messages) sessions.received(wire, message);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      options.log.warn("a worker sent what is no frame", { remote: wire.remote, why });
      options.log.debug("where it failed", { error });
      // A worker that says what no master takes would say it again.
      if (error instanceof MessageError) {
        const message = `This master cannot take what the worker says: ${why}.`;
        wire.send([{ kind: "refuse", code: error.code, message }]);
      }
      wire.close(`a frame could not be read: ${why}`);
    }
  });
  socket.on("error", (error) => {
    reason = error.message;
  });
  socket.on("close", () => {
    beat();
    sessions.closed(wire, reason);
  });
}

class Wire implements Connection {
  readonly remote: string;
  readonly #socket: WebSocket;
  readonly #messages = new WorkerMessages();
  #sent = 0;
  #received = 0;
  #queue: MasterMessage[] = [];
  #flushing = false;
  closing = false;

  constructor(socket: WebSocket, remote: string) {
    this.#socket = socket;
    this.remote = remote;
  }

  send(messages: readonly MasterMessage[]): void {
    for (const message of messages) this.#queue.push(message);
    if (this.#flushing) return;
    this.#flushing = true;
    process.nextTick(() => this.#flush());
  }

  ping(): void {
    if (this.#queue.length === 0) this.#write([]);
  }

  close(reason: string): void {
    this.closing = true;
    this.#flush();
    // A close frame holds 123 bytes.
    this.#socket.close(1000, reason.replace(/[^\x20-\x7e]/g, "?").slice(0, 120));
    // A peer that does not answer the close is cut.
    setTimeout(() => this.#socket.terminate(), 1_000).unref();
  }

  read(data: Uint8Array): readonly WorkerMessage[] {
    const frame = decode(data) as unknown;
    if (!Array.isArray(frame) || typeof frame[0] !== "number" || !Array.isArray(frame[2])) {
      throw new TypeError("a frame is [n, ack, messages]");
    }
    if (frame[0] !== this.#received + 1)
      throw new RangeError(`frame ${frame[0]} after ${this.#received}`);
    this.#received = frame[0];
    return this.#messages.check(frame[2]);
  }

  /** Messages go in frames well below the limit; each start message is at most about 1 MiB. */
  #flush(): void {
    this.#flushing = false;
    const queue = this.#queue;
    this.#queue = [];
    let from = 0;
    let bytes = 0;
    for (const [i, message] of queue.entries()) {
      bytes += weight(message);
      if (bytes < limits.frameBytesMax / 4) continue;
      this.#write(queue.slice(from, i + 1));
      from = i + 1;
      bytes = 0;
    }
    if (from < queue.length) this.#write(from === 0 ? queue : queue.slice(from));
  }

  #write(messages: readonly MasterMessage[]): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount > unsentBytesMax) {
      this.#socket.terminate();
      return;
    }
    this.#sent++;
    this.#socket.send(encode([this.#sent, this.#received, messages]));
  }
}

function weight(message: MasterMessage): number {
  if (message.kind === "start")
    return message.ranges.reduce((sum, range) => sum + range.inputs.length, 1_024);
  return message.kind === "verdict" ? 64 * (message.kill.length + 1) : 256;
}

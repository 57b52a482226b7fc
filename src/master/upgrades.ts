// WebSockets on the master's HTTP port: behind the doors of D1, one handler for each path.

import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { SkeinError, toProblem } from "../protocol/errors.ts";
import type { Problem } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";

export type ServeSocket = (socket: WebSocket, request: IncomingMessage) => void;

export interface UpgradesOptions {
  readonly server: Server;
  /** The doors of D1, for upgrades. */
  readonly checkDoor: (request: IncomingMessage) => Problem | undefined;
  readonly paths: Readonly<Record<string, ServeSocket>>;
}

/** Takes over the server's upgrades; returns a function that cuts all of its sockets. */
export function serveUpgrades(options: UpgradesOptions): () => void {
  const paths = new Map(Object.entries(options.paths));
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.frameBytesMax,
    perMessageDeflate: false,
  });
  options.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const problem = options.checkDoor(request);
    if (problem) return rejectUpgrade(socket, problem);
    const serve = paths.get(new URL(request.url ?? "/", "http://host").pathname);
    if (!serve) {
      return rejectUpgrade(
        socket,
        toProblem(new SkeinError("not_found", "No session lives here.")),
      );
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      request.socket.setNoDelay(true);
      serve(webSocket, request);
    });
  });
  return () => {
    for (const client of sockets.clients) client.terminate();
    sockets.close();
  };
}

export function remoteOf({ socket }: IncomingMessage): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
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

// The HTTP server itself: its limits, bytes that are no request, and how it stops.

import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, Server } from "node:http";
import { SkeinError, toProblem } from "../../protocol/errors.ts";
import { problemType } from "./problems.ts";

const headerBytesMax = 16 * 1024;
const headersMs = 10_000;
/** How often slow requests are looked for. */
const checkMs = 5_000;
/** A whole payload on a slow line: half a megabyte a second. */
const requestMs = 20 * 60_000;
/** Longer than any client keeps an idle connection, so that none is closed under a request. */
const keepAliveMs = 65_000;
const connectionsMax = 4_096;
/** Answers under way get this long when the master stops. */
const closeMs = 2_000;

export function createHttpServer(listener: RequestListener): Server {
  const server = createServer(
    {
      maxHeaderSize: headerBytesMax,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkMs,
      keepAliveTimeout: keepAliveMs,
      noDelay: true,
    },
    listener,
  );
  server.maxConnections = connectionsMax;
  return server;
}

/** Bytes that are no HTTP request. */
export function clientErrorHandler(
  error: NodeJS.ErrnoException,
  socket: IncomingMessage["socket"],
): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [line, why] = notHttp(error.code);
  const status = Number(line.slice(0, 3));
  const problem = { ...toProblem(new SkeinError("bad_request", why)), status };
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${line}\r\nconnection: close\r\ncontent-type: ${problemType}\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function notHttp(code: string | undefined): [line: string, why: string] {
  if (code === "HPE_HEADER_OVERFLOW") {
    const why = `The headers are larger than ${headerBytesMax} bytes.`;
    return ["431 Request Header Fields Too Large", why];
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return ["408 Request Timeout", "The request did not come in time."];
  }
  return ["400 Bad Request", "This is no HTTP request."];
}

export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), 20);
    const late = setTimeout(() => server.closeAllConnections(), closeMs);
    // A server that never listened says so, and is closed all the same.
    server.close(() => {
      clearInterval(idle);
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
  });
}

// A stand-in for etcd at the socket, for what a real etcd of the version at hand does not do.

import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { systemClock } from "../../lib/clock.ts";
import { JournalHalt } from "../halt.ts";
import { EtcdClient } from "./client.ts";
import { frame } from "./frames.ts";
import { messageField, numberField, bytesField } from "./protobuf.ts";

export type Answer =
  | Buffer
  | { readonly code: number; readonly message: string }
  | "silence"
  | "reset";
type Stand = (method: string, call: number) => Answer;

export const header = (revision: number, cluster = 7) =>
  messageField(1, numberField(1, cluster), numberField(2, 1), numberField(3, revision));
export const healthy = Buffer.concat([header(1), bytesField(2, "3.6.9"), numberField(4, 1)]);

/** Every method is counted from 1. */
export async function etcdLike(stand: Stand): Promise<{ port: number; calls: string[] }> {
  const calls: string[] = [];
  const server = createServer();
  server.on("stream", (stream, headers) => {
    const method = String(headers[":path"]);
    calls.push(method);
    stream.on("error", () => {});
    stream.resume();
    stream.on("end", () =>
      reply(stream, stand(method, calls.filter((one) => one === method).length)),
    );
  });
  const port = await listening(server);
  onTestFinished(() => void server.close());
  return { port, calls };
}

function reply(stream: ServerHttp2Stream, answer: Answer): void {
  if (answer === "silence") return;
  if (answer === "reset") return stream.close(2);
  const [code, message] = Buffer.isBuffer(answer) ? [0, ""] : [answer.code, answer.message];
  stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () =>
    stream.sendTrailers({
      "grpc-status": String(code),
      "grpc-message": encodeURIComponent(message),
    }),
  );
  stream.end(Buffer.isBuffer(answer) ? frame(answer) : undefined);
}

function listening(server: Http2Server): Promise<number> {
  return new Promise((resolve) => {
    // On a port, so its address is an AddressInfo.
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

export function clientOf(port: number, login?: { name: string; password: string }): EtcdClient {
  const endpoints = [`http://127.0.0.1:${port}`];
  const place = { endpoints, prefix: "/skein/", ...(login && { user: login }) };
  const client = new EtcdClient({ place, clock: systemClock, callMs: 300 });
  const closed = new JournalHalt("engine_failed", { what: "closed", why: "", todo: "" });
  onTestFinished(() => client.close(closed));
  return client;
}

export const denied = { code: 7, message: "etcdserver: permission denied" };

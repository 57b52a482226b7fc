// Against a stand-in at the socket, for what a real etcd of the version at hand does not do.

import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../lib/clock.ts";
import { JournalHalt } from "../halt.ts";
import { EngineUnavailable } from "../unavailable.ts";
import { EtcdClient } from "./client.ts";
import { frame } from "./frames.ts";
import { methods } from "./messages.ts";
import { bytesField, messageField, numberField } from "./protobuf.ts";

type Answer = Buffer | { readonly code: number; readonly message: string } | "silence" | "reset";
type Stand = (method: string, call: number) => Answer;

const header = (revision: number, cluster = 7) =>
  messageField(1, numberField(1, cluster), numberField(2, 1), numberField(3, revision));
const healthy = Buffer.concat([header(1), bytesField(2, "3.6.9"), numberField(4, 1)]);

/** Every method is counted from 1. */
async function etcdLike(stand: Stand): Promise<{ port: number; calls: string[] }> {
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

function clientOf(port: number, login?: { name: string; password: string }): EtcdClient {
  const endpoints = [`http://127.0.0.1:${port}`];
  const place = { endpoints, prefix: "/skein/", ...(login && { user: login }) };
  const client = new EtcdClient({ place, clock: systemClock, callMs: 300 });
  const closed = new JournalHalt("engine_failed", { what: "closed", why: "", todo: "" });
  onTestFinished(() => client.close(closed));
  return client;
}

const denied = { code: 7, message: "etcdserver: permission denied" };
const ask = Buffer.from([0x0a, 1, 0x78]);

describe("the client of etcd", () => {
  it("does without a status that is for administrators only", async () => {
    const { port } = await etcdLike((method) => (method === methods.status ? denied : header(5)));
    const client = clientOf(port);
    const { status } = await client.survey();
    expect(status).toMatchObject({ leader: "hidden", header: { clusterId: "7", revision: 5 } });
    await expect(client.status()).resolves.toMatchObject({ leader: "hidden" });
  });

  it("logs in once, and once more when its token is not taken", async () => {
    const token = Buffer.concat([header(1), bytesField(2, "t")]);
    const stale = { code: 16, message: "etcdserver: invalid auth token" };
    const { port, calls } = await etcdLike((method, call) => {
      if (method === methods.status) return healthy;
      if (method === methods.authenticate) return token;
      return call === 2 ? stale : header(2);
    });
    const client = clientOf(port, { name: "me", password: "secret" });
    for (let count = 0; count < 3; count++) await client.call(methods.range, ask);
    expect(calls.filter((one) => one === methods.authenticate)).toHaveLength(2);
    expect(calls.filter((one) => one === methods.range)).toHaveLength(4);
  });

  it("writes a call once, whatever becomes of it", async () => {
    const answers = new Map<number, Answer>([
      [1, "silence"],
      [2, "reset"],
      [3, { code: 14, message: "etcdserver: leader changed" }],
    ]);
    const { port, calls } = await etcdLike((method, call) =>
      method === methods.status ? healthy : (answers.get(call) ?? header(2)),
    );
    const client = clientOf(port);
    for (let count = 0; count < 3; count++) {
      await expect(client.call(methods.txn, ask)).rejects.toThrow(EngineUnavailable);
    }
    await client.call(methods.txn, ask);
    expect(calls.filter((one) => one === methods.txn)).toHaveLength(4);
  });

  it("halts when another cluster or an older revision answers", async () => {
    const { port } = await etcdLike((method, call) => {
      if (method === methods.status) return healthy;
      if (method === methods.range) return header(call === 1 ? 9 : 8);
      return header(10, 8);
    });
    const client = clientOf(port);
    const linear = { linear: true };
    await client.call(methods.range, ask, linear);
    await expect(client.call(methods.range, ask, linear)).rejects.toMatchObject({
      kind: "head_went_back",
    });
    const foreign = { kind: "foreign_journal" };
    await expect(client.call(methods.txn, ask, linear)).rejects.toMatchObject(foreign);
    await expect(client.call(methods.range, ask)).rejects.toMatchObject(foreign);
  });
});

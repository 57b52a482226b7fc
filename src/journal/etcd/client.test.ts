// Against a stand-in at the socket, for what a real etcd of the version at hand does not do.

import { describe, expect, it } from "vitest";
import { EngineUnavailable } from "../unavailable.ts";
import { clientOf, denied, etcdLike, header, healthy, type Answer } from "./etcd-like.fixture.ts";
import { methods } from "./messages.ts";
import { bytesField } from "./protobuf.ts";

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

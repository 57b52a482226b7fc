// Workers that say what no worker says: wrong versions, foreign journals, garbage. Each is turned away with a
// reason; the cluster works on, and nothing of it reaches the journal.

import { decode, encode } from "@msgpack/msgpack";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startTestCluster } from "skein/testing";
import type { TestCluster } from "skein/testing";
import { square } from "./fault-tasks.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

type Message = Readonly<Record<string, unknown>>;

/** What a master said to a broken worker, and with what words it closed. */
interface Heard {
  readonly messages: readonly Message[];
  readonly closed: string;
  readonly ms: number;
}

interface Script {
  readonly hello?: Message;
  /** Sent when a master leads; what a proper worker would say comes in. */
  readonly register?: (proper: Message) => unknown;
  /** Sent when it is registered. */
  readonly next?: readonly unknown[];
  /** Sent before anything else, as it is. */
  readonly bytes?: Uint8Array;
  readonly silent?: boolean;
}

let ids = 0;

function worker(script: Script): Promise<Heard> {
  const id = `broken-${++ids}`;
  const address = `${cluster.url.replace("http", "ws")}/v1/session`;
  const headers = { authorization: `Bearer ${cluster.token}` };
  const socket = new WebSocket(address, { headers });
  const messages: Message[] = [];
  const began = performance.now();
  let n = 0;
  const send = (...what: readonly unknown[]) => socket.send(encode([++n, 0, what]));
  socket.on("open", () => {
    if (script.bytes) socket.send(script.bytes);
    else if (!script.silent) send({ ...helloOf(id), ...script.hello });
  });
  socket.on("message", (data: Buffer) => {
    for (const message of (decode(data) as [number, number, Message[]])[2]) {
      messages.push(message);
      const proper = registerOf(id, message["term"]);
      if (message["kind"] === "lead") send(script.register ? script.register(proper) : proper);
      if (message["kind"] === "verdict") for (const one of script.next ?? []) send(one);
    }
  });
  return new Promise((resolve) => {
    socket.on("error", () => {});
    socket.on("close", (_, reason) =>
      resolve({ messages, closed: String(reason), ms: performance.now() - began }),
    );
  });
}

function helloOf(id: string): Message {
  const versions = { protocol: [1, 1], version: "0.1.0" };
  return { kind: "hello", ...versions, id, incarnation: "feed", journalId: null };
}

function registerOf(id: string, term: unknown): Message & { readonly info: Message } {
  const machine = { hostname: "h", pid: 1, node: "v20", platform: "linux-x64", network: "n" };
  const offers = { amounts: { cpu: 0 }, labels: {}, pool: "default" };
  const by = { namespace: "default", by: "worker" };
  const software = { version: "0.1.0", protocol: 1, address: "127.0.0.1:1" };
  const info = { id, incarnation: "feed", ...software, ...machine, ...offers, ...by };
  return { kind: "register", term, info, held: [], started: [], recorded: 0, reports: [] };
}

function report(more: Message): Message {
  return { kind: "report", n: 1, blocks: [], returned: [], ...more };
}

async function worksOn(): Promise<void> {
  const job = await cluster.skein.map(square, [2, 3]);
  expect(await job.results()).toEqual([4, 9]);
}

test.each([
  ["an older protocol", { protocol: [0, 0], version: "0.0.1" }, "protocol_version", "0 to 0"],
  ["a newer protocol", { protocol: [7, 9], version: "9.0.0" }, "protocol_version", "7 to 9"],
  [
    "another journal",
    { journalId: "z".repeat(20) },
    "foreign_journal",
    "data directory of its own",
  ],
])("a worker of %s is refused, with the reason", async (_, hello, code, words) => {
  const { messages } = await worker({ hello });
  const refusal = messages.find(({ kind }) => kind === "refuse");
  expect(refusal).toMatchObject({ code });
  expect(refusal?.["message"]).toContain(words);
});

const noBytes = Uint8Array.of(0xc1, 0xff, 1, 2);
const infinite = { job: 1, first: 0, count: 2 ** 40, attempt: 1 };

test.each<[string, Script, RegExp]>([
  ["bytes that are no frame", { bytes: noBytes }, /frame could not be read/],
  ["a frame that is a number", { bytes: encode(5) }, /a frame is \[n, ack, messages\]/],
  ["a frame out of order", { bytes: encode([7, 0, []]) }, /frame 7 after 0/],
  [
    "a list that claims 4 billion items",
    { bytes: Uint8Array.of(0xdd, 255, 255, 255, 255) },
    /read/,
  ],
  ["an unknown message", { bytes: encode([1, 0, [{ kind: "zork" }]]) }, /unknown kind: zork/],
  ["nothing for a message", { bytes: encode([1, 0, [null]]) }, /a message is null/],
  ["a report before its hello", { bytes: encode([1, 0, [report({})]]) }, /must be hello/],
  ["a name with an escape", { hello: { id: "a\u001b[2J" } }, /id is/],
  ["no info", { register: (of) => ({ ...of, info: undefined }) }, /info is/],
  ["another's id", { register: () => registerOf("worker-1", 1) }, /not what said hello/],
  ["attempts without end", { register: (of) => ({ ...of, held: [infinite] }) }, /held names/],
  ["garbage for outcomes", { next: [report({ blocks: [{ job: 1, bytes: noBytes }] })] }, /block/],
  ["text for outcomes", { next: [report({ blocks: [{ job: 1, bytes: "x" }] })] }, /not bytes/],
  ["returns without end", { next: [report({ returned: [infinite] })] }, /returned names/],
  ["a report that is not its next", { next: [report({ n: Number.NaN })] }, /n is NaN/],
  ["progress of nothing", { next: [{ kind: "progress" }] }, /started is undefined/],
  ["a goodbye without a reason", { next: [{ kind: "goodbye" }] }, /reason is undefined/],
])("%s: the worker is told what is wrong, the cluster works on", async (_, script, words) => {
  const { closed } = await worker(script);
  expect(closed).toMatch(words);
  await worksOn();
});

test.each([{ cpu: -5 }, { cpu: Number.NaN }, { cpu: "many" }, null])(
  "a worker that offers %o is refused for good, and nobody reckons with it",
  async (amounts) => {
    const register = (proper: Message) => {
      const { info } = proper as { info: Message };
      return { ...proper, info: { ...info, amounts } };
    };
    const { messages } = await worker({ register });
    expect(messages.at(-1)).toMatchObject({ kind: "refuse", code: "bad_request" });
    const { items } = await cluster.skein.client.workers();
    expect(items.map(({ id }) => id)).not.toContain(`broken-${ids}`);
    await worksOn();
  },
);

test("a session that never says anything is closed", async () => {
  const { ms } = await worker({ silent: true });
  expect(ms).toBeLessThan(20_000);
  await worksOn();
});

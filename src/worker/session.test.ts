import { expect, test } from "vitest";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import type { MasterMessage, WorkerReport } from "../protocol/messages.ts";
import { FakeMaster } from "./master.fixture.ts";
import type { WorkerIdentity } from "./session.ts";
import { type Refusal, Sessions } from "./sessions.ts";

class Side implements Disposable {
  readonly messages: MasterMessage[] = [];
  readonly closed: number[] = [];
  readonly refusals: Refusal[] = [];
  readonly identity: WorkerIdentity;
  readonly sessions: Sessions;
  last = 0;

  constructor(masters: readonly string[], journalId: string | null = null) {
    this.identity = { id: "w", incarnation: "00000000000000aa", version: "0.0.0", journalId };
    this.sessions = new Sessions({
      masters,
      token: "secret",
      identity: this.identity,
      clock: systemClock,
      log: silentLog,
      onMessages: (session, messages) => {
        this.last = session;
        this.messages.push(...messages);
      },
      onClosed: (session) => void this.closed.push(session),
      onRefused: (refusal) => void this.refusals.push(refusal),
    });
    this.sessions.start();
  }

  [Symbol.dispose](): void {
    this.sessions.stop("the test is over");
  }
}

test("a worker says hello with its token, is welcomed and hears what follows", async () => {
  await using master = await FakeMaster.start();
  master.greet = () => [master.welcome(), { kind: "lead", term: 7 }];
  using side = new Side([master.url]);
  await master.until(() => side.messages.length > 0);
  expect(side.messages).toEqual([{ kind: "lead", term: 7 }]);
  expect(master.authorizations).toEqual(["Bearer secret"]);
  expect(master.received[0]).toMatchObject({ kind: "hello", id: "w", journalId: null });
  expect(side.identity.journalId).toBe("journal-1");
});

test("frames are numbered without gaps and name the last one received", async () => {
  await using master = await FakeMaster.start();
  master.greet = () => [master.welcome(), { kind: "lead", term: 1 }];
  using side = new Side([master.url]);
  await master.until(() => side.messages.length > 0);
  side.sessions.send(side.last, [{ kind: "goodbye", reason: "a" }]);
  await master.until(() => master.ofKind("goodbye").length === 1);
  expect(master.frames.slice(0, 2).map(([n, ack]) => [n, ack])).toEqual([
    [1, 0],
    [2, 1],
  ]);
});

test("an idle session pings", async () => {
  await using master = await FakeMaster.start();
  using _side = new Side([master.url]);
  await master.until(() => master.frames.some(([, , messages]) => messages.length === 0));
});

test("much is split into frames that a master takes, in order", async () => {
  await using master = await FakeMaster.start();
  master.greet = () => [master.welcome(), { kind: "lead", term: 1 }];
  using side = new Side([master.url]);
  await master.until(() => side.messages.length > 0);
  const bytes = new Uint8Array(500_000);
  const reports = Array.from({ length: 30 }, (_, i): WorkerReport => {
    return { kind: "report", n: i + 1, blocks: [{ job: 1, bytes }], returned: [] };
  });
  side.sessions.send(side.last, reports);
  await master.until(() => master.ofKind("report").length === 30);
  expect(master.ofKind("report").map(({ n }) => n)).toEqual(reports.map(({ n }) => n));
  expect(master.frames.length).toBeGreaterThan(5);
});

test("a lost connection is dialled again and gets a new number", async () => {
  await using master = await FakeMaster.start();
  master.greet = () => [master.welcome(), { kind: "lead", term: 1 }];
  using side = new Side([master.url]);
  await master.until(() => side.messages.length === 1);
  const first = side.last;
  master.sockets[0]?.terminate();
  await master.until(() => side.messages.length === 2);
  expect(side.closed).toEqual([first]);
  expect(side.last).toBeGreaterThan(first);
});

test("a silent master is given up and dialled again", async () => {
  await using master = await FakeMaster.start();
  master.greet = () => [master.welcome({ suspectAfterMs: 300 })];
  using side = new Side([master.url]);
  await master.until(() => master.ofKind("hello").length === 2);
  expect(side.closed).toHaveLength(1);
});

test.each([
  ["text", "hello"],
  ["no MessagePack", Uint8Array.of(0xc1, 1, 2)],
  ["a malformed message", undefined],
])("garbage (%s) ends the connection, and a new one works", async (_name, garbage) => {
  await using master = await FakeMaster.start();
  using side = new Side([master.url]);
  await master.until(() => master.sockets.length === 1);
  const socket = master.sockets[0];
  if (!socket) throw new Error("no socket");
  await master.until(() => master.received.length > 0);
  if (garbage !== undefined) socket.send(garbage);
  else master.send(socket, { kind: "lead", term: -1 });
  await master.until(() => master.ofKind("hello").length === 2);
  expect(side.refusals).toEqual([]);
});

test("a frame out of order ends the connection", async () => {
  await using master = await FakeMaster.start();
  master.greet = () => [master.welcome(), { kind: "lead", term: 1 }];
  using side = new Side([master.url]);
  await master.until(() => side.messages.length === 1);
  const [socket] = master.sockets;
  const { encode } = await import("@msgpack/msgpack");
  socket?.send(encode([5, 0, [{ kind: "lead", term: 2 }]]));
  await master.until(() => side.messages.length === 2);
  expect(side.messages).toEqual([
    { kind: "lead", term: 1 },
    { kind: "lead", term: 1 },
  ]);
});

test("messages of a kind this worker does not know are skipped", async () => {
  await using master = await FakeMaster.start();
  master.greet = () => [
    master.welcome(),
    { kind: "fromTheFuture" } as unknown as MasterMessage,
    { kind: "lead", term: 1 },
  ];
  using side = new Side([master.url]);
  await master.until(() => side.messages.length > 0);
  expect(side.messages).toEqual([{ kind: "lead", term: 1 }]);
});

test("a refusal is final when no other master is left", async () => {
  await using master = await FakeMaster.start();
  master.greet = () => [{ kind: "refuse", code: "protocol_version", message: "too old" }];
  using side = new Side([master.url]);
  await master.until(() => side.refusals.length > 0);
  expect(side.refusals).toEqual([{ code: "protocol_version", message: "too old" }]);
});

test("one master that refuses does not end a worker that others welcome", async () => {
  await using refusing = await FakeMaster.start();
  await using welcoming = await FakeMaster.start();
  refusing.greet = () => [{ kind: "refuse", code: "foreign_journal", message: "no" }];
  welcoming.greet = () => [welcoming.welcome(), { kind: "lead", term: 1 }];
  using side = new Side([refusing.url, welcoming.url]);
  await welcoming.until(() => side.messages.length > 0 && refusing.received.length > 0);
  expect(side.refusals).toEqual([]);
});

test("an id in use is final, whatever other masters say", async () => {
  await using refusing = await FakeMaster.start();
  await using welcoming = await FakeMaster.start();
  refusing.greet = () => [{ kind: "refuse", code: "worker_id_in_use", message: "taken" }];
  using side = new Side([refusing.url, welcoming.url]);
  await refusing.until(() => side.refusals.length > 0);
});

test("a master whose protocol this worker does not speak is refused from this side", async () => {
  await using master = await FakeMaster.start();
  master.greet = () => [master.welcome({ protocol: 99 })];
  using side = new Side([master.url]);
  await master.until(() => side.refusals.length > 0);
  expect(side.refusals[0]?.code).toBe("protocol_version");
});

test("a worker with outcomes for one journal does not serve another", async () => {
  await using master = await FakeMaster.start();
  using side = new Side([master.url], "another-journal");
  await master.until(() => side.refusals.length > 0);
  expect(side.refusals[0]?.code).toBe("foreign_journal");
  expect(master.received[0]).toMatchObject({ kind: "hello", journalId: "another-journal" });
});

test("a wrong token is told in plain HTTP and is final", async () => {
  await using master = await FakeMaster.start();
  master.server.removeAllListeners("upgrade");
  master.server.on("upgrade", (_request, socket) => {
    const body = JSON.stringify({ code: "unauthorized", detail: "No valid token" });
    const head = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n";
    socket.end(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
  });
  using side = new Side([master.url]);
  await master.until(() => side.refusals.length > 0);
  expect(side.refusals).toEqual([{ code: "unauthorized", message: "No valid token" }]);
});

test("masters named in a welcome are dialled too", async () => {
  await using first = await FakeMaster.start();
  await using second = await FakeMaster.start();
  first.greet = () => [first.welcome({ masters: [first.url, second.url] })];
  second.greet = () => [second.welcome(), { kind: "lead", term: 1 }];
  using side = new Side([first.url]);
  await second.until(() => side.messages.length > 0);
  expect(side.sessions.urls(side.last)).toEqual([second.url, first.url]);
});

test("a master known by two addresses has one session", async () => {
  await using master = await FakeMaster.start();
  const other = `http://localhost:${master.port}`;
  master.greet = () => [
    master.welcome({ masters: [master.url, other] }),
    { kind: "lead", term: 1 },
  ];
  using side = new Side([master.url]);
  await master.until(() => master.ofKind("hello").length >= 2);
  await master.until(
    () => master.sockets.filter(({ readyState }) => readyState === 1).length === 1,
  );
  expect(side.closed).toEqual([]);
  expect(side.sessions.urls(side.last)).toEqual([master.url]);
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLog } from "../lib/log.ts";
import { ApiWorld } from "./api/api-world.fixture.ts";
import { ask } from "./context.ts";
import { ground } from "./ground.ts";
import type { Loop } from "./loop.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";

let world: ApiWorld;
let dir: string;
let keeper: SnapshotKeeper;
const logged: string[] = [];
const waits = "the journal is not trimmed: it waits for the history";
const goesOn = "the journal is trimmed although the history lacks batches";
const history = { durable: 0, trouble: undefined };

beforeEach(async () => {
  world = await ApiWorld.open();
  dir = mkdtempSync(join(tmpdir(), "skein-snapshots-"));
  logged.length = 0;
  history.durable = 0;
  const log = createLog({
    level: "info",
    write: (line) => void logged.push((JSON.parse(line) as { msg: string }).msg),
  });
  const { journal, archive } = world;
  keeper = new SnapshotKeeper({ dir, journal, archive, history, log, everyBatches: 1 });
  keeper.serve(world.master.loop);
});
afterEach(async () => {
  await keeper[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

/** What the master appends makes a snapshot. */
async function snapshot(): Promise<void> {
  await world.submit([1]);
  const before = logged.length;
  const { index } = await world.journal.head();
  const bytes = new Uint8Array(1);
  const makeOne = () => {
    if (logged.slice(before).includes("snapshot taken")) return logged.slice(before);
    // Nothing comes of it while the one before is not done.
    keeper.appended({ index, bytes, wall: 0, effects: [], recalls: [], elected: false });
    return logged.slice(before);
  };
  await expect.poll(makeOne, { timeout: 10_000 }).toContain("snapshot taken");
}

function fill(share: number): void {
  const [bytesMax, diskFree] = [1_000_000, 1_000_000_000];
  world.journal.usage = async () => ({ bytes: share * bytesMax, bytesMax, diskFree });
}

test("the journal is trimmed to the older of two snapshots that the history has", async () => {
  await snapshot();
  const { index } = await world.journal.head();
  history.durable = index;
  await snapshot();
  await expect.poll(() => world.journal.trimmed()).toBeGreaterThan(0);
  expect(await world.journal.trimmed()).toBeLessThanOrEqual(index);
});

test("a history that cannot write holds up no snapshot, and trims only while there is room", async () => {
  fill(0.1);
  for (let n = 0; n < 3; n++) await snapshot();
  await expect.poll(() => logged).toContain(waits);
  expect(await world.journal.trimmed()).toBe(0);
  fill(0.6);
  await snapshot();
  await expect.poll(() => logged).toContain(goesOn);
  await expect.poll(() => world.journal.trimmed()).toBeGreaterThan(0);
});

test("with standbys the journal is trimmed once one has a snapshot and all archives have passed", async () => {
  let standbys = [
    { snapshot: 0, watermark: 0 },
    { snapshot: 0, watermark: 0 },
  ];
  const { journal } = world;
  keeper.serve(world.master.loop, { live: () => standbys, addresses: () => [] });
  const other = { id: "m2", incarnation: "2", addresses: [], levels: [1, 1] } as const;
  await ask(world.master, { kind: "joinMaster", ...other });
  history.durable = Infinity;
  await snapshot();
  const first = keeper.newest;
  await snapshot();
  expect(await journal.trimmed()).toBe(0);
  standbys = [
    { snapshot: first + 100, watermark: first + 100 },
    { snapshot: 0, watermark: first - 1 },
  ];
  keeper.standbysMoved();
  await expect.poll(() => journal.trimmed()).toBe(first - 1);
  standbys = [
    { snapshot: first - 1, watermark: first + 100 },
    { snapshot: 0, watermark: first + 100 },
  ];
  keeper.standbysMoved();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await journal.trimmed()).toBe(first - 1);
});

test("a standby makes snapshots, and appends nothing", async () => {
  await world.submit([1]);
  // Of a loop it asks no more than this.
  const standby = { leads: false, request: () => expect.unreachable(), peek: () => 0 };
  keeper.serve(standby as unknown as Loop);
  const { index } = await world.journal.head();
  const bytes = new Uint8Array(1);
  keeper.appended({ index, bytes, wall: 0, effects: [], recalls: [], elected: false });
  await expect.poll(() => keeper.newest).toBe(index);
  expect((await world.journal.head()).index).toBe(index);
});

test("a leader that has no snapshot past the trim, nor anybody who has, makes one of its memory, at once", async () => {
  const { journal, archive } = world;
  history.durable = Infinity;
  await snapshot();
  await snapshot();
  await expect.poll(() => journal.trimmed()).toBeGreaterThan(0);
  await keeper[Symbol.asyncDispose]();
  rmSync(join(dir, "snapshots"), { recursive: true });
  const log = createLog({ level: "info", write: () => {} });
  const copy = () => Promise.reject(new Error("nobody has one"));
  // The disk is new; of the batches that a snapshot is usually made after there are nowhere near enough.
  keeper = new SnapshotKeeper({ dir, journal, archive, history, log, copy });
  keeper.serve(world.master.loop);
  await world.submit([1, 2, 3]);
  const { index } = await journal.head();
  const bytes = new Uint8Array(1);
  keeper.appended({ index, bytes, wall: 0, effects: [], recalls: [], elected: false });
  await expect.poll(() => keeper.newest, { timeout: 10_000 }).toBeGreaterThanOrEqual(index);
  const state = await keeper.load(keeper.newest);
  expect(state?.jobs.size).toBe(world.master.loop.peek(({ jobs }) => jobs.size));
  // Its own state can be reached again from there, which the journal checks by its digests.
  await world.submit([4]);
  const head = (await journal.head()).index;
  keeper.appended({ index: head, bytes, wall: 0, effects: [], recalls: [], elected: false });
  const history_ = { added: Infinity, add: () => {} };
  const snapshotOf = (indexMax: number) => keeper.load(indexMax);
  const options = { journal, archive, history: history_ as never, log, incarnation: "x" };
  const grounded = await ground({ ...options, snapshot: snapshotOf });
  expect(grounded.state.index).toBe((await journal.head()).index);
});

test("a digest in the journal is what the disk alone gives again (L10)", async () => {
  const elected = await keeper.refold(1);
  expect(elected.own).toBe(elected.recorded);
  await expect(keeper.refold(99)).rejects.toThrow("the journal has no batch");
});

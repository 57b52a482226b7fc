import { beforeEach, describe, expect, test } from "vitest";
import type { EncodedBatch } from "../journal/batch.ts";
import type { StoredBatch } from "../journal/journal.ts";
import { Appender } from "./appender.ts";
import { OnePlace, batchAt, refused, stored, unknown } from "./one-batch.fixture.ts";

type Found = StoredBatch | "trimmed" | Error | undefined;

let place: OnePlace;
let appender: Appender;
let reads: ((found: Found) => void)[];
let told: string[];
let batch: EncodedBatch;

beforeEach(() => {
  place = new OnePlace();
  [reads, told, batch] = [[], [], batchAt(5, 2)];
  appender = new Appender({
    clock: place.clock,
    append: place.append,
    read: (_index, done) => void reads.push(done),
  });
});

function send(): void {
  appender.send(batch, {
    durable: () => told.push("durable"),
    refused: (code, why) => told.push(`refused ${code} ${why}`),
    deposed: (term) => told.push(`deposed ${term}`),
    overrun: () => told.push("overrun"),
    forked: ({ term }) => told.push(`forked ${term}`),
    unknown: () => told.push("unknown"),
  });
}

function found(what: Found): void {
  reads.shift()?.(what);
}

describe("a leader's batch", () => {
  test("is durable when the engine says so, and nothing more is asked", () => {
    send();
    place.answer({ kind: "appended" });
    place.clock.pass(60_000);
    expect([told, place.appended.length, reads.length]).toEqual([["durable"], 1, 0]);
  });

  test("is refused at once when no answer was lost before", () => {
    send();
    place.answer(refused);
    expect(told).toEqual(["refused no_space full"]);
  });

  test.each([
    ["its own: durable", () => stored(batch), "durable"],
    ["of a higher term: deposed", () => stored(batchAt(5, 3)), "deposed 3"],
    ["another's of the same term: a fork", () => stored(batchAt(5, 2)), "forked 2"],
    ["another's of a lower term: a fork", () => stored(batchAt(5, 1)), "forked 1"],
    ["trimmed: overrun", () => "trimmed" as const, "overrun"],
  ])("is looked for after a conflict; what stands there is %s", (_name, what, says) => {
    send();
    place.answer({ kind: "conflict" });
    found(what());
    place.clock.pass(60_000);
    expect([told, place.appended.length]).toEqual([[says], 1]);
  });

  test("is appended again, the identical one, while its place is empty (J3)", () => {
    send();
    place.answer(unknown);
    found(undefined);
    expect([told, place.inFlight]).toEqual([["unknown"], false]);
    place.clock.pass(20);
    expect(place.appended).toEqual([batch.batchId, batch.batchId]);
    // One whose answer was lost may still land, whatever is refused now.
    place.answer(refused);
    expect(told).toEqual(["unknown"]);
    found(stored(batch));
    expect(told).toEqual(["unknown", "durable"]);
  });

  test("is only asked for again while nobody can say what stands there", () => {
    send();
    place.answer(unknown);
    found(new Error("away"));
    place.clock.pass(1_000);
    expect([place.appended.length, reads.length]).toEqual([1, 1]);
    found(stored(batch));
    expect(told).toEqual(["unknown", "durable"]);
  });

  test("that was let go tells nothing any more, wherever it was", () => {
    send();
    appender.letGo();
    place.answer({ kind: "appended" });
    send();
    place.answer(unknown);
    appender.letGo();
    found(stored(batch));
    send();
    place.answer(unknown);
    found(undefined);
    appender.letGo();
    place.clock.pass(60_000);
    expect([told, place.appended.length]).toEqual([["unknown"], 3]);
  });

  test("tells its end once, though an answer comes late", () => {
    send();
    place.answer({ kind: "conflict" });
    found(stored(batch));
    appender.letGo();
    send();
    place.answer({ kind: "appended" });
    expect(told).toEqual(["durable", "durable"]);
  });

  test("waits longer from try to try, a second at most", () => {
    const waits: number[] = [];
    send();
    for (let i = 0; i < 10; i++) {
      place.answer(unknown);
      found(undefined);
      const began = place.clock.now();
      while (!place.inFlight) place.clock.pass(10);
      waits.push(place.clock.now() - began);
    }
    expect(waits.slice(0, 3)).toEqual([20, 40, 80]);
    expect(waits.at(-1)).toBe(1_000);
  });
});

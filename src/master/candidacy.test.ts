import { beforeEach, describe, expect, test } from "vitest";
import type { EncodedBatch } from "../journal/batch.ts";
import { silentLog } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import { Candidacy } from "./candidacy.ts";
import { OnePlace, batchAt, refused, unknown } from "./one-batch.fixture.ts";

let place: OnePlace;
let candidacy: Candidacy;
let next: number;
let ready: boolean;
let looks: number;
let composed: EncodedBatch[];
let won: number[];
let stuck: number;

beforeEach(() => {
  place = new OnePlace();
  [next, ready, looks, composed, won, stuck] = [5, true, 0, [], [], 0];
  candidacy = new Candidacy({
    clock: place.clock,
    log: silentLog,
    append: place.append,
    look(done) {
      looks++;
      done();
    },
    next: () => next,
    ready: () => ready,
    compose() {
      const batch = batchAt(next, 2);
      composed.push(batch);
      return batch;
    },
    stuck: () => stuck++,
    won: ({ index }) => won.push(index),
  });
});

const ids = () => composed.map(({ batchId }) => batchId);

describe("a candidate", () => {
  test("is told of its election once, when the journal has it", () => {
    candidacy.stand();
    expect(won).toEqual([]);
    place.answer({ kind: "appended" });
    place.clock.pass(60_000);
    expect([won, place.appended.length]).toEqual([[5], 1]);
  });

  test("stands again in a later term", () => {
    candidacy.stand();
    place.answer({ kind: "appended" });
    candidacy.withdraw();
    candidacy.followed(5);
    next = 8;
    candidacy.stand();
    expect(composed.map(({ index }) => index)).toEqual([5, 8]);
    expect(place.inFlight).toBe(true);
  });

  test("sends nothing before it stands, nor while it has no sound state, nor a second one at once", () => {
    candidacy.go();
    ready = false;
    candidacy.stand();
    expect(place.appended).toEqual([]);
    ready = true;
    candidacy.go();
    candidacy.go();
    candidacy.stand();
    expect(place.appended.length).toBe(1);
  });

  test("appends the identical batch again while the place is empty and the answer was lost (C2)", () => {
    candidacy.stand();
    place.answer(unknown);
    expect([looks, place.inFlight]).toEqual([1, false]);
    candidacy.go();
    expect(place.inFlight).toBe(false); // it waits its turn
    place.clock.pass(1_000);
    place.answer(refused);
    place.clock.pass(1_000);
    place.answer({ kind: "conflict" });
    place.clock.pass(1_000);
    expect(new Set(place.appended)).toEqual(new Set(ids()));
    expect([place.appended.length, ids().length]).toEqual([4, 1]);
  });

  test("composes anew when it was refused and nothing of it can land", () => {
    candidacy.stand();
    place.answer(refused);
    place.clock.pass(1_000);
    expect(place.appended).toEqual(ids());
    expect(ids().length).toBe(2);
  });

  test("composes anew when the contested place is decided, whoever took it", () => {
    candidacy.stand();
    place.answer(unknown);
    candidacy.followed(4);
    place.clock.pass(1_000);
    expect(ids().length).toBe(1);
    candidacy.followed(5);
    next = 6;
    place.answer({ kind: "conflict" });
    place.clock.pass(1_000);
    expect(ids().length).toBe(2);
    // What was unsure is decided: a refusal now is one again.
    place.answer(refused);
    place.clock.pass(1_000);
    expect(ids().length).toBe(3);
  });

  test("sees by the state alone that the place is decided", () => {
    candidacy.stand();
    place.answer(unknown);
    next = 9;
    place.clock.pass(1_000);
    expect(composed.map(({ index }) => index)).toEqual([5, 9]);
  });

  test("that withdrew sends nothing more, and stands again with the very batch that may still land (C3)", () => {
    candidacy.stand();
    candidacy.withdraw();
    place.answer(unknown);
    place.clock.pass(60_000);
    expect([place.appended.length, candidacy.stands]).toEqual([1, false]);
    candidacy.stand();
    expect(new Set(place.appended)).toEqual(new Set(ids()));
    expect(ids().length).toBe(1);
  });

  test("says that the journal is stuck after a lease without an answer, not before", () => {
    candidacy.stand();
    place.clock.pass(limits.leaseMs);
    place.answer(unknown);
    expect(stuck).toBe(0);
    place.clock.pass(1_000);
    place.answer(unknown);
    expect(stuck).toBe(1);
  });

  test("waits longer from try to try, a second at most", () => {
    const waits: number[] = [];
    candidacy.stand();
    for (let i = 0; i < 10; i++) {
      place.answer(unknown);
      const began = place.clock.now();
      while (!place.inFlight) place.clock.pass(10);
      waits.push(place.clock.now() - began);
    }
    expect(waits.slice(0, 3)).toEqual([20, 40, 80]);
    expect(waits.at(-1)).toBe(1_000);
  });

  test("counts its lease from the first append of the batch that is out", () => {
    candidacy.stand();
    place.clock.pass(100);
    place.answer(unknown);
    place.clock.pass(1_000);
    expect(candidacy.since).toBe(0);
    candidacy.followed(5);
    expect(candidacy.since).toBe(1_100);
  });
});

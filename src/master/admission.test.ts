import { expect, test } from "vitest";
import type { Request } from "../core/machine.ts";
import { createState } from "../core/state.ts";
import { openTurn } from "../core/machine.ts";
import { emit } from "../core/turn.ts";
import { encodeOutcomes, encodeStored, storedBit } from "../protocol/outcome-block.ts";
import { admit } from "./admission.ts";

const hash = "a".repeat(64);
const part: Request = {
  kind: "part",
  job: 1,
  part: 0,
  input: { bytes: new Uint8Array(0), count: 0, sum: 0, payloads: [hash] },
};

test("a part that names a stored payload is let in", () => {
  const turn = openTurn(createState("j"), 1, 0, 0);
  expect(admit(part, turn, () => true)).toBe(part);
});

test("a part that names a payload which is not stored is refused", () => {
  const turn = openTurn(createState("j"), 1, 0, 0);
  expect(admit(part, turn, () => false)).toMatchObject({ code: "payload_missing" });
});

test("a payload that is freed in the same turn counts as gone, though its file is still there", () => {
  const turn = openTurn(createState("j"), 1, 0, 0);
  emit(turn, { kind: "payloadsFreed", v: 1, hashes: [hash] });
  expect(admit(part, turn, () => true)).toMatchObject({ code: "payload_missing" });
});

test("requests that name no payload are not asked for any", () => {
  const turn = openTurn(createState("j"), 1, 0, 0);
  const cancel: Request = { kind: "cancelJob", job: 1, reason: "cancelled" };
  expect(admit(cancel, turn, () => false)).toBe(cancel);
});

test("a result whose bytes are not here is marked, and the rest of its block is not", () => {
  const turn = openTurn(createState("j"), 1, 0, 0);
  const value = encodeStored({ hash, size: 20_000, encoding: "json" });
  const base = { attempt: 1, micros: 1, logBytes: 0 };
  const bytes = encodeOutcomes([
    { ...base, task: 0, code: 0, value: new Uint8Array([49]) },
    { ...base, task: 1, code: storedBit, value },
  ]);
  const report: Request = {
    kind: "report",
    worker: 1,
    incarnation: "x",
    n: 1,
    blocks: [{ job: 1, bytes }],
    returned: [],
  };
  expect(admit(report, turn, () => true)).toBe(report);
  expect(admit(report, turn, () => false)).toMatchObject({ gone: [hash] });
});

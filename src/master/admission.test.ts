import { expect, test } from "vitest";
import type { Request } from "../core/machine.ts";
import { createState } from "../core/state.ts";
import { emit, openTurn } from "../core/turn.ts";
import { checkStored } from "./admission.ts";

const hash = "a".repeat(64);
const part: Request = {
  kind: "part",
  job: 1,
  part: 0,
  input: { bytes: new Uint8Array(0), count: 0, sum: 0, payloads: [hash] },
};

test("a part that names a stored payload is let in", () => {
  const turn = openTurn(createState("j"), 1, 0, 0);
  expect(checkStored(part, turn, () => true)).toBeUndefined();
});

test("a part that names a payload which is not stored is refused", () => {
  const turn = openTurn(createState("j"), 1, 0, 0);
  expect(checkStored(part, turn, () => false)).toMatchObject({ code: "payload_missing" });
});

test("a payload that is freed in the same turn counts as gone, though its file is still there", () => {
  const turn = openTurn(createState("j"), 1, 0, 0);
  emit(turn, { kind: "payloadsFreed", v: 1, hashes: [hash] });
  expect(checkStored(part, turn, () => true)).toMatchObject({ code: "payload_missing" });
});

test("requests that name no payload are not asked for any", () => {
  const turn = openTurn(createState("j"), 1, 0, 0);
  const cancel: Request = { kind: "cancelJob", job: 1, reason: "cancelled" };
  expect(checkStored(cancel, turn, () => false)).toBeUndefined();
});

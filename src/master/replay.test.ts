import { encode } from "@msgpack/msgpack";
import { expect, test } from "vitest";
import { createState } from "../core/state.ts";
import { decodeBatch, encodeBatch } from "../journal/batch.ts";
import { zeroHash } from "../journal/journal.ts";
import { entriesFormat } from "./codec.ts";
import { createDigestCheck, foldBatch } from "./replay.ts";

const agrees = createDigestCheck(() => {});

function batchOf(entries: readonly object[]) {
  const header = { journalId: "j", index: 1, term: 1, batchId: "0".repeat(32), time: 0, wall: 0 };
  const bytes = encode(entries);
  const batch = encodeBatch({ ...header, previousHash: zeroHash, format: entriesFormat, bytes });
  return decodeBatch(batch.bytes);
}

test("an entry of a kind or version that this build does not know halts, by name (L11)", () => {
  for (const [kind, v] of [
    ["teleported", 1],
    ["renewed", 2],
  ] as const) {
    const fold = () => foldBatch(createState("j"), batchOf([{ kind, v }]), agrees);
    expect(fold).toThrow(`an entry ${kind} of version ${v}`);
    expect(fold).toThrow("Run this master with the version that the others run");
  }
});

test("an entry that it knows is folded in", () => {
  const state = createState("j");
  foldBatch(state, batchOf([{ kind: "renewed", v: 1 }]), agrees);
  expect(state.index).toBe(1);
});

// What the archive must know of a block of outcomes to find it again, without decoding its values.

import { ByteReader } from "../../protocol/varint.ts";
import { storedBit } from "../../protocol/outcome-block.ts";
import { endReason } from "../../protocol/model.ts";
import { finalStates } from "./archive-wire.ts";
import type { FinalState } from "./archive.ts";

export interface BlockScan {
  readonly count: number;
  readonly first: number;
  readonly last: number;
  /** Which final states occur: the sum of `stateBit` of each. */
  readonly states: number;
}

export function stateBit(state: FinalState): number {
  return 1 << finalStates.indexOf(state);
}

/** Per code without the stored bit. */
const bitOfCode = Uint8Array.from({ length: storedBit }, (_, code) =>
  stateBit(endReason(code).state),
);

export function bitOf(code: number): number {
  return bitOfCode[code & ~storedBit] ?? 0;
}

/** Reads the columns in front of the values; see outcome-block.ts for their order. */
export function scanBlock(block: Uint8Array): BlockScan {
  const reader = new ByteReader(block);
  const count = reader.varint();
  let first = 0;
  let last = 0;
  let task = 0;
  for (let i = 0; i < count; i++) {
    task += reader.zigzag();
    if (i === 0 || task < first) first = task;
    if (i === 0 || task > last) last = task;
  }
  if (reader.byte() === 0) reader.varint();
  else for (let i = 0; i < count; i++) reader.varint();
  if (reader.byte() === 0) return { count, first, last, states: bitOf(0) };
  let states = 0;
  for (let i = 0; i < count; i++) states |= bitOf(reader.byte());
  return { count, first, last, states };
}

// Entries as bytes: one MessagePack array a batch. Values that nobody looks into (inputs, outcome blocks) are
// single runs of bytes inside it, so that its size hardly depends on the number of tasks.

import { decode, encode } from "@msgpack/msgpack";
import type { Entry } from "../core/entry.ts";

/** The version of this encoding, in every batch's header. */
export const entriesFormat = 1;

export function encodeEntries(entries: readonly Entry[]): Uint8Array {
  return encode(entries);
}

/** The entries, their bytes views of what was given. Throws on anything else. */
export function decodeEntries(bytes: Uint8Array, format: number): readonly Entry[] {
  if (format !== entriesFormat) {
    throw new Error(
      `entries of format ${format} are unknown here (this master knows ${entriesFormat})`,
    );
  }
  return decode(bytes) as readonly Entry[];
}

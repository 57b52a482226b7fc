// The state as a snapshot's bytes, and back: MessagePack of what core/snapshot.ts gives.

import { decode, encode } from "@msgpack/msgpack";
import { createDigestMemory, digest } from "../core/digest.ts";
import { decodeState, encodeState } from "../core/snapshot.ts";
import type { Plain } from "../core/snapshot.ts";
import type { State } from "../core/state.ts";
import type { Snapshot } from "./snapshots/snapshots.ts";

export function encodeSnapshot(state: State): Uint8Array {
  return encode(encodeState(state), { maxDepth: 64 });
}

export function decodeWhole(bytes: Uint8Array): State {
  return decodeState(decode(bytes) as Plain);
}

/** Throws when the state does not have the digest that the snapshot was made with. */
export function decodeSnapshot(snapshot: Pick<Snapshot, "bytes" | "digest" | "index">): State {
  const state = decodeWhole(snapshot.bytes);
  const own = digest(state, createDigestMemory());
  if (own !== snapshot.digest || state.index !== snapshot.index) {
    throw new Error(
      `the snapshot at ${snapshot.index} has digest ${own}, its header says ${snapshot.digest}`,
    );
  }
  for (const number of state.jobs.keys()) state.touched.jobs.add(number);
  for (const number of state.workers.keys()) state.touched.workers.add(number);
  return state;
}

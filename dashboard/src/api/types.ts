// What the pictures are drawn from, beside the client's own views.

import type { GridView } from "../../../src/client/index.ts";

/** A grid whose bytes are unpacked: one of state for each cell. */
export interface TaskGrid extends Omit<GridView, "states"> {
  readonly states: Uint8Array;
}

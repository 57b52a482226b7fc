// What a byte of a picture says. Read by pages too, and so without a schema library.

/** States of bars and cells, by their number. */
export const pictureStates = [
  "waiting",
  "ready",
  "backoff",
  "assigned",
  "running",
  "succeeded",
  "failed",
  "cancelled",
  "lost",
  "given_back",
] as const;
export type PictureState = (typeof pictureStates)[number];

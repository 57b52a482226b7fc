/**
 * Which moment of the turn does a picture show? Each frame is rendered once more, tiny and in one
 * piece, and the picture, made as tiny, is compared with all of them. Nothing here knows tiles,
 * tasks or file formats, so a film in the wrong order cannot agree with it by accident.
 */
import { renderRows } from "./render.ts";
import type { Scene } from "./scene.ts";

export interface Reference {
  /** The tiny picture of each frame. */
  readonly pictures: readonly Uint8Array[];
}

export interface Match {
  readonly frame: number;
  /** Mean squared difference per byte to the best frame, and to the second best. */
  readonly difference: number;
  readonly nextDifference: number;
}

/** Frames nearer to each other than 3° look the same at this size: tests hold up to here. */
export const REFERENCE_FRAMES_MAX = 120;
export const REFERENCE_SIZE = 32;
const REFERENCE_SAMPLES = 16;

export function createReference(scene: Scene, frames: number): Reference {
  if (frames > REFERENCE_FRAMES_MAX) {
    throw new RangeError(
      `${frames} frames cannot be told apart, at most ${REFERENCE_FRAMES_MAX} can`,
    );
  }
  const rows = { from: 0, to: REFERENCE_SIZE };
  const size = REFERENCE_SIZE;
  const pictures = Array.from({ length: frames }, (_, frame) =>
    renderRows(scene, { frame, frames, size, samples: REFERENCE_SAMPLES }, rows),
  );
  return { pictures };
}

export function whichFrame(reference: Reference, rgb: Uint8Array, size: number): Match {
  const tiny = shrink(rgb, size);
  let best = { frame: -1, difference: Infinity, nextDifference: Infinity };
  for (const [frame, picture] of reference.pictures.entries()) {
    const difference = differenceOf(picture, tiny);
    if (difference < best.difference) {
      best = { frame, difference, nextDifference: best.difference };
    } else {
      best.nextDifference = Math.min(best.nextDifference, difference);
    }
  }
  return best;
}

/** Each tiny pixel is the mean of the area it covers, to the fraction of a pixel. */
function shrink(rgb: Uint8Array, size: number): Float64Array {
  if (size < REFERENCE_SIZE) throw new RangeError(`pictures need ${REFERENCE_SIZE} pixels a side`);
  const tiny = new Float64Array(REFERENCE_SIZE * REFERENCE_SIZE * 3);
  const parts = Array.from({ length: REFERENCE_SIZE }, (_, place) => partsOf(place, size));
  let at = 0;
  for (const rows of parts) {
    for (const columns of parts) {
      for (const row of rows) {
        for (const column of columns) {
          const from = (row.pixel * size + column.pixel) * 3;
          const share = row.share * column.share;
          for (let i = 0; i < 3; i++)
            tiny[at + i] = (tiny[at + i] ?? 0) + (rgb[from + i] ?? 0) * share;
        }
      }
      at += 3;
    }
  }
  return tiny;
}

/** Which pixels a tiny pixel covers along one axis, and how much of it each one fills. */
function partsOf(place: number, size: number): { pixel: number; share: number }[] {
  const width = size / REFERENCE_SIZE;
  const from = place * width;
  const to = from + width;
  const parts: { pixel: number; share: number }[] = [];
  for (let pixel = Math.floor(from); pixel < Math.min(to, size); pixel++) {
    parts.push({ pixel, share: (Math.min(to, pixel + 1) - Math.max(from, pixel)) / width });
  }
  return parts;
}

function differenceOf(picture: Uint8Array, tiny: Float64Array): number {
  let sum = 0;
  for (const [i, value] of picture.entries()) sum += (value - (tiny[i] ?? 0)) ** 2;
  return sum / picture.length;
}

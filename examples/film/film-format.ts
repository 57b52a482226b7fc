/** How do frames become one file that every browser plays? An endless GIF, by modern-gif. */
import { decode, decodeFrames, encode } from "modern-gif";

export interface FilmFrames {
  /** Width and height in pixels. */
  readonly size: number;
  /** Red, green and blue bytes of each frame, row by row. */
  readonly frames: readonly Uint8Array[];
  /** How long a frame stays; GIF counts in hundredths of a second. */
  readonly delayMs: number;
}

export async function encodeFilm(film: FilmFrames): Promise<Uint8Array> {
  const { size, delayMs } = film;
  const frames = film.frames.map((rgb) => ({ data: addAlpha(rgb), delay: delayMs }));
  return new Uint8Array(
    await encode({ width: size, height: size, frames, looped: true, loopCount: 0 }),
  );
}

/** Reads a film back, to check what was really written. */
export function decodeFilm(file: Uint8Array): FilmFrames {
  // A copy, because modern-gif reads the whole buffer behind a view, and a Buffer shares its own.
  const copy = Uint8Array.from(file);
  const gif = decode(copy);
  if (gif.width !== gif.height) throw new Error(`not square: ${gif.width}×${gif.height}`);
  const frames = decodeFrames(copy, { gif }).map(({ data }) => dropAlpha(data));
  const delays = new Set(gif.frames.map(({ delay }) => delay));
  const [delayMs] = delays;
  if (delayMs === undefined || delays.size > 1) throw new Error("frames of unequal length");
  return { size: gif.width, frames, delayMs };
}

function addAlpha(rgb: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray((rgb.length / 3) * 4).fill(255);
  for (const [i, value] of rgb.entries()) rgba[Math.floor(i / 3) * 4 + (i % 3)] = value;
  return rgba;
}

function dropAlpha(rgba: Uint8ClampedArray): Uint8Array {
  return Uint8Array.from(rgba.filter((_, i) => i % 4 !== 3));
}

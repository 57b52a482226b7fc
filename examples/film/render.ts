/** Which colours have the pixels of one tile? A tile is a band of whole rows of one frame. */
import { aim, createRay } from "./intersect.ts";
import { createSampler, drawPair, hash } from "./sampler.ts";
import { stageOf } from "./scene.ts";
import type { Scene, Stage } from "./scene.ts";
import { addLight } from "./trace.ts";
import type { Light } from "./trace.ts";

export interface Picture {
  readonly frame: number;
  /** Frames in the whole turn. */
  readonly frames: number;
  /** Width and height in pixels. */
  readonly size: number;
  /** Paths per pixel; powers of two are the most even. */
  readonly samples: number;
}

export interface Tile extends Picture {
  readonly tile: number;
  readonly tiles: number;
}

export interface Rows {
  readonly from: number;
  readonly to: number;
}

/** Red, green and blue bytes, row by row; a pure function of its arguments, on any machine. */
export function renderTile(scene: Scene, tile: Tile): Uint8Array {
  return renderRows(scene, tile, rowsOf(tile));
}

export function rowsOf({ size, tile, tiles }: Pick<Tile, "size" | "tile" | "tiles">): Rows {
  return { from: Math.floor((tile * size) / tiles), to: Math.floor(((tile + 1) * size) / tiles) };
}

export function renderRows(scene: Scene, picture: Picture, rows: Rows): Uint8Array {
  const stage = stageOf(scene, picture.frame, picture.frames);
  const pixels = new Uint8Array((rows.to - rows.from) * picture.size * 3);
  let at = 0;
  for (let y = rows.from; y < rows.to; y++) {
    for (let x = 0; x < picture.size; x++) {
      const { r, g, b } = lightOfPixel(stage, picture, { x, y });
      pixels[at++] = toByte(r);
      pixels[at++] = toByte(g);
      pixels[at++] = toByte(b);
    }
  }
  return pixels;
}

const EXPOSURE = 0.95;
const ray = createRay();
const sampler = createSampler();

function lightOfPixel(stage: Stage, picture: Picture, pixel: { x: number; y: number }): Light {
  const { size, samples } = picture;
  const { eye, right, up, forward } = stage;
  const total: Light = { r: 0, g: 0, b: 0 };
  // The frame is left out on purpose: grain that stays where it is, is not seen.
  sampler.seed = hash(pixel.y * size + pixel.x + 1);
  for (let sample = 0; sample < samples; sample++) {
    sampler.index = sample;
    drawPair(sampler, 0);
    const x = ((pixel.x + sampler.u) / size) * 2 - 1;
    const y = 1 - ((pixel.y + sampler.v) / size) * 2;
    const dx = forward.x + right.x * x + up.x * y;
    const dy = forward.y + right.y * x + up.y * y;
    const dz = forward.z + right.z * x + up.z * y;
    const length = Math.sqrt(dx * dx + dy * dy + dz * dz);
    ray.ox = eye.x;
    ray.oy = eye.y;
    ray.oz = eye.z;
    aim(ray, dx / length, dy / length, dz / length);
    addLight(stage, ray, sampler, total);
  }
  return { r: total.r / samples, g: total.g / samples, b: total.b / samples };
}

/** A filmic curve (Narkowicz's fit of ACES), then the gamma of sRGB. */
function toByte(light: number): number {
  const x = light * EXPOSURE;
  const mapped = (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14);
  const clipped = Math.min(1, Math.max(0, mapped));
  const encoded = clipped <= 0.0031308 ? clipped * 12.92 : 1.055 * clipped ** (1 / 2.4) - 0.055;
  return Math.floor(encoded * 255 + 0.5);
}

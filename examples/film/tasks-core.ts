/**
 * What do the tasks of the film compute? Plain functions from JSON to JSON; tasks.ts makes tasks of
 * them. `prepareScene` (scene.ts) belongs in the render task's setup.
 */
import { encodeFilm } from "./film-format.ts";
import { packPixels, unpackPixels } from "./pixels.ts";
import { renderTile, rowsOf } from "./render.ts";
import type { Tile } from "./render.ts";
import type { Scene } from "./scene.ts";

/** The size of the whole film; every tile carries it. */
export interface FilmSettings {
  readonly frames: number;
  readonly size: number;
  readonly samples: number;
  /** Tiles in one frame. */
  readonly tiles: number;
}

export interface RenderedTile {
  readonly tile: Tile;
  /** See pixels.ts. */
  readonly pixels: string;
}

export interface AssembledFilm {
  readonly frames: number;
  readonly size: number;
  /** The GIF in base64. */
  readonly file: string;
}

export const DEFAULT_FILM: FilmSettings = { frames: 48, size: 208, samples: 32, tiles: 8 };
/** The bunny turns once in this time, however many frames show it. */
const TURN_MS = 3840;

/** The inputs of all render tasks, frame by frame. */
export function tilesOf(film: FilmSettings): Tile[] {
  return Array.from({ length: film.frames * film.tiles }, (_, task) => ({
    ...film,
    frame: Math.floor(task / film.tiles),
    tile: task % film.tiles,
  }));
}

export function renderTask(scene: Scene, tile: Tile): RenderedTile {
  return { tile, pixels: packPixels(renderTile(scene, tile)) };
}

/** Puts every tile in its place, whatever the order of arrival; a gap or a double is an error. */
export async function assembleTask(results: readonly RenderedTile[]): Promise<AssembledFilm> {
  const [first] = results;
  if (first === undefined) throw new Error("a film needs at least one tile");
  const { frames: count, size, tiles } = first.tile;
  const frames = Array.from({ length: count }, () => new Uint8Array(size * size * 3));
  const missing = new Set(tilesOf(first.tile).map(nameOf));
  for (const { tile, pixels } of results) {
    if (!missing.delete(nameOf(tile)))
      throw new Error(`${nameOf(tile)} is not of this film, or twice`);
    frames[tile.frame]?.set(pixelsOf(tile, pixels), rowsOf(tile).from * size * 3);
  }
  const [gap] = missing;
  if (gap !== undefined)
    throw new Error(`${missing.size} of ${count * tiles} tiles missing: ${gap} …`);
  const delayMs = Math.max(20, Math.round(TURN_MS / count / 10) * 10);
  const file = await encodeFilm({ size, frames, delayMs });
  return { frames: count, size, file: Buffer.from(file).toString("base64") };
}

function nameOf({ frame, frames, size, tile, tiles }: Tile): string {
  return `tile ${tile}/${tiles} of frame ${frame}/${frames} at ${size} pixels`;
}

function pixelsOf(tile: Tile, packed: string): Uint8Array {
  const pixels = unpackPixels(packed);
  const rows = rowsOf(tile);
  const expected = (rows.to - rows.from) * tile.size * 3;
  if (pixels.length === expected) return pixels;
  throw new Error(`${nameOf(tile)} has ${pixels.length} bytes, not ${expected}`);
}

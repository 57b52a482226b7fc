import { describe, expect, test } from "vitest";
import { decodeFilm, encodeFilm } from "./film-format.ts";
import { packPixels, unpackPixels } from "./pixels.ts";
import { createReference, REFERENCE_FRAMES_MAX, whichFrame } from "./reference.ts";
import { renderRows, renderTile } from "./render.ts";
import { prepareScene } from "./scene.ts";
import { assembleTask, DEFAULT_FILM, renderTask, tilesOf } from "./tasks-core.ts";

const scene = prepareScene();

describe("a tile", () => {
  test("is the same bytes whoever renders it, in whatever order", () => {
    const tiles = tilesOf({ frames: 3, size: 40, samples: 4, tiles: 3 });
    const once = tiles.map((tile) => renderTile(scene, tile));
    const again = tiles.toReversed().map((tile) => renderTile(prepareScene(), tile));
    expect(again.toReversed()).toEqual(once);
  });

  test("joins its neighbours without a seam, also when rows do not divide evenly", () => {
    const picture = { frame: 7, frames: 48, size: 50, samples: 4 };
    const whole = renderRows(scene, picture, { from: 0, to: 50 });
    const parts = [0, 1, 2, 3, 4, 5].map((tile) =>
      renderTile(scene, { ...picture, tile, tiles: 6 }),
    );
    expect(Buffer.concat(parts).equals(whole)).toBe(true);
  });

  test("survives packing, and the busiest of the default film stays below 16 KiB", () => {
    const tile = { ...DEFAULT_FILM, frame: 12, tile: 5 };
    const pixels = renderTile(scene, tile);
    const packed = packPixels(pixels);
    expect(unpackPixels(packed)).toEqual(pixels);
    expect(packed.length).toBeLessThan(16 * 1024 - 200);
  });
});

describe("the assembled film", () => {
  const film = { frames: 4, size: 36, samples: 2, tiles: 5 };
  const results = tilesOf(film).map((tile) => renderTask(scene, tile));

  test("has every frame in its place, although tiles arrive in any order", async () => {
    const assembled = await assembleTask(results.toReversed());
    expect(assembled).toEqual(await assembleTask(results));
    const decoded = decodeFilm(Buffer.from(assembled.file, "base64"));
    expect(decoded).toMatchObject({ size: 36, delayMs: 960 });
    expect(decoded.frames).toHaveLength(4);
    expect(JSON.parse(JSON.stringify(assembled))).toEqual(assembled);
  });

  test("is refused when a tile is missing, comes twice or is cut short", async () => {
    await expect(assembleTask([])).rejects.toThrow("at least one tile");
    await expect(assembleTask(results.slice(1))).rejects.toThrow("1 of 20 tiles missing");
    await expect(assembleTask([...results, ...results.slice(3, 4)])).rejects.toThrow("twice");
    const cut = results.map((result, i) => (i === 2 ? { ...result, pixels: "AwA=" } : result));
    await expect(assembleTask(cut)).rejects.toThrow("has 0 bytes");
  });
});

describe("the reference", () => {
  test("tells all frames of the written film apart, with noise above the real one's", async () => {
    const { frames: count } = DEFAULT_FILM;
    const picture = { frames: count, size: 96, samples: 4 };
    const frames = Array.from({ length: count }, (_, frame) =>
      renderRows(scene, { ...picture, frame }, { from: 0, to: 96 }),
    );
    const film = decodeFilm(await encodeFilm({ size: 96, frames, delayMs: 80 }));
    const reference = createReference(scene, count);
    const matches = film.frames.map((rgb) => whichFrame(reference, rgb, 96));
    expect(matches.map(({ frame }) => frame)).toEqual(frames.map((_, frame) => frame));
    const margins = matches.map((match) => match.nextDifference / match.difference);
    expect(Math.min(...margins)).toBeGreaterThan(1.5);
  });

  test("tells frames apart at a size it does not divide, up to its limit of frames", () => {
    const frames = REFERENCE_FRAMES_MAX;
    const reference = createReference(scene, frames);
    for (let frame = 0; frame < frames; frame += 10) {
      const rgb = renderRows(scene, { frame, frames, size: 75, samples: 4 }, { from: 0, to: 75 });
      expect(whichFrame(reference, rgb, 75).frame).toBe(frame);
    }
    expect(() => createReference(scene, frames + 1)).toThrow("at most 120");
  });
});

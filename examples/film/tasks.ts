/**
 * The tasks of the film. This module is what is bundled and sent to the workers, so it connects to
 * nothing: a module that defines tasks has no top-level effects.
 */
import { defineTask } from "skein";
import { prepareScene } from "./scene.ts";
import { assembleTask, renderTask } from "./tasks-core.ts";
import type { AssembledFilm, RenderedTile } from "./tasks-core.ts";
import type { Tile } from "./render.ts";

/** One tile of one frame. The scene is built once per slot. */
export const renderTileTask = defineTask({
  name: "render-tile",
  retry: { attempts: 2 },
  setup: () => prepareScene(),
  run: (tile: Tile, { setup: scene }): RenderedTile => renderTask(scene, tile),
});

/** All tiles to one film: its input is the outputs of the map, moved by the cluster. */
export const assembleFilm = defineTask({
  name: "assemble-film",
  run: ({ tiles }: { tiles: RenderedTile[] }): Promise<AssembledFilm> => assembleTask(tiles),
});

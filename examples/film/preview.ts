/** How will it look? `npx tsx examples/film/preview.ts --frame 12 --size 384 --out frame.png` */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { encodePng } from "./png.ts";
import { renderRows } from "./render.ts";
import { prepareScene } from "./scene.ts";
import { DEFAULT_FILM } from "./tasks-core.ts";

const { values } = parseArgs({
  options: {
    frame: { type: "string", default: "0" },
    frames: { type: "string", default: String(DEFAULT_FILM.frames) },
    size: { type: "string", default: String(DEFAULT_FILM.size) },
    samples: { type: "string", default: String(DEFAULT_FILM.samples) },
    out: { type: "string", default: "frame.png" },
  },
});
const size = Number(values.size);
const picture = { frame: Number(values.frame), frames: Number(values.frames), size };
const scene = prepareScene();
const startedMs = performance.now();
const rgb = renderRows(
  scene,
  { ...picture, samples: Number(values.samples) },
  { from: 0, to: size },
);
await writeFile(values.out, encodePng(rgb, size));
console.log(`${values.out}: ${Math.round(performance.now() - startedMs)} ms`);

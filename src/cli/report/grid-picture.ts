// The grid of a job as SVG: a cell per task, or per run of tasks, in their order.

import type { GridView } from "../../client/index.ts";
import { pictureStates } from "../../protocol/picture-states.ts";
import { stateName } from "./facts.ts";
import { markup } from "./html.ts";
import { tenth } from "./stream-picture.ts";
import type { Picture } from "./stream-picture.ts";

const width = 1_120;
const areaMax = width * 200;
const sideMax = 20;
const sideMin = 6;

export function gridPicture(grid: GridView): Picture {
  const cells = Buffer.from(grid.states, "base64");
  const side = Math.floor(
    Math.min(sideMax, Math.max(sideMin, Math.sqrt(areaMax / Math.max(1, cells.length)))),
  );
  const columns = Math.floor(width / side);
  const inner = tenth(side - (side > 9 ? 2 : 1));
  const paths = new Map<string, string[]>();
  for (const [i, state] of cells.entries()) {
    const x = (i % columns) * side;
    const y = Math.floor(i / columns) * side;
    const list = paths.get(stateName(state)) ?? [];
    paths.set(stateName(state), list);
    list.push(`M${x} ${y}h${inner}v${inner}h-${inner}z`);
  }
  const height = Math.ceil(cells.length / columns) * side;
  const used = Math.min(columns, Math.max(cells.length, 1)) * side;
  const marks = [...paths].map(
    ([state, list]) => markup`<path class="s-${state}" d="${list.join("")}" />`,
  );
  return {
    svg: markup`<svg
      id="grid"
      viewBox="0 0 ${width} ${Math.max(1, height)}"
      role="img"
      aria-label="Every task by its state"
    >
      ${marks}
    </svg>`,
    states: pictureStates.filter((state) => paths.has(state)),
    data: {
      side,
      columns,
      used,
      perCell: grid.perCell,
      tasks: grid.tasks,
      states: Array.from(cells).join(""),
    },
  };
}

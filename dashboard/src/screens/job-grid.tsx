// Every task of a job as a cell, in order: a million fit on one screen. Where a cell stands for several, it shows the worst.

import { useNavigate } from "@tanstack/react-router";
import { useCallback, useState } from "react";
import type { PointerEvent } from "react";
import type { JobView } from "../../../src/client/index.ts";
import { useGrid } from "../api/queries.ts";
import type { TaskGrid } from "../api/types.ts";
import { themeColour, useCanvas, useWidth } from "../ui/canvas.ts";
import type { Canvas } from "../ui/canvas.ts";
import { count, plural } from "../ui/format.ts";
import { Empty, Loading, Trouble } from "../ui/parts.tsx";
import { lookOf, wordOf } from "../ui/states.tsx";
import { stateName } from "./stream-drawing.ts";

export function Grid({ job }: { readonly job: JobView }) {
  const grid = useGrid(job.id, job.ended === null);
  if (grid.error && !grid.data) return <Trouble error={grid.error} what="The grid" />;
  if (!grid.data) return <Loading what="the grid" />;
  if (grid.data.states.length === 0) return <Empty why="The job has no tasks yet." />;
  return <Cells grid={grid.data} job={job.id} />;
}

function Cells({ grid, job }: { readonly grid: TaskGrid; readonly job: string }) {
  const { ref, width } = useWidth();
  const [pointed, setPointed] = useState<number>();
  const navigate = useNavigate();
  const { states, perCell, tasks } = grid;
  const size = cellSize(states.length, width);
  const across = Math.max(1, Math.floor(width / size));
  const height = Math.ceil(states.length / across) * size;
  const draw = useCallback(
    (canvas: Canvas) => drawCells(canvas, states, size, across),
    [states, size, across],
  );
  const canvas = useCanvas(width, height, draw);
  const cellAt = (event: PointerEvent<HTMLCanvasElement>): number | undefined => {
    const box = event.currentTarget.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / size);
    const cell = Math.floor((event.clientY - box.top) / size) * across + column;
    return column < across && cell < states.length ? cell : undefined;
  };
  const text = `${plural(tasks, "task")}: ${tally(states)}`;
  return (
    <figure className="grid">
      <figcaption>
        <span>
          {plural(tasks, "task")}
          {perCell > 1
            ? `, ${count(perCell)} in a cell, which shows the worst of them`
            : ", a cell each"}
        </span>
      </figcaption>
      <div ref={ref} className="canvas-frame">
        <canvas
          ref={canvas}
          style={{ width, height }}
          role="img"
          aria-label={text}
          onPointerMove={(event) => setPointed(cellAt(event))}
          onPointerLeave={() => setPointed(undefined)}
          onClick={(event) => {
            const cell = cellAt(event as unknown as PointerEvent<HTMLCanvasElement>);
            if (cell === undefined) return;
            void navigate({
              to: "/jobs/$job/$task",
              params: { job, task: String(cell * perCell) },
            });
          }}
        />
      </div>
      <p className="note">{pointed === undefined ? "\u00a0" : cellText(grid, pointed)}</p>
      <ul className="legend">
        {[...new Set(states)]
          .toSorted((a, b) => b - a)
          .map((code) => (
            <li key={code}>
              <span className={`swatch bg-${lookOf(stateName(code)).tone}`} aria-hidden="true" />
              {wordOf(stateName(code))}
            </li>
          ))}
      </ul>
    </figure>
  );
}

/** As large as fits into about 480 pixels of height. */
function cellSize(cells: number, width: number): number {
  const size = Math.floor(Math.sqrt((Math.max(1, width) * 480) / Math.max(1, cells)));
  return Math.max(2, Math.min(18, size));
}

function drawCells({ context }: Canvas, states: Uint8Array, size: number, across: number): void {
  const gap = size >= 5 ? 1 : 0;
  const present = new Set(states);
  for (const code of present) {
    context.fillStyle = themeColour(`fill-${lookOf(stateName(code)).tone}`);
    context.beginPath();
    for (let at = 0; at < states.length; at++) {
      if (states[at] !== code) continue;
      const [x, y] = [(at % across) * size, Math.floor(at / across) * size];
      context.rect(x, y, size - gap, size - gap);
    }
    context.fill();
  }
  if (size >= 9) drawCrosses({ context, width: 0, height: 0 }, states, size, across);
}

/** What failed has a shape as well as a colour. */
function drawCrosses({ context }: Canvas, states: Uint8Array, size: number, across: number): void {
  context.strokeStyle = themeColour("paper");
  context.lineWidth = 1.5;
  context.beginPath();
  for (let at = 0; at < states.length; at++) {
    if (states[at] !== 6) continue;
    const [x, y] = [(at % across) * size, Math.floor(at / across) * size];
    const [low, high] = [size * 0.28, size * 0.62];
    context.moveTo(x + low, y + low);
    context.lineTo(x + high, y + high);
    context.moveTo(x + high, y + low);
    context.lineTo(x + low, y + high);
  }
  context.stroke();
}

function tally(states: Uint8Array): string {
  const counts = new Map<number, number>();
  for (const code of states) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].map(([code, n]) => `${count(n)} ${wordOf(stateName(code))}`).join(", ");
}

function cellText({ perCell, states, tasks }: TaskGrid, cell: number): string {
  const first = cell * perCell;
  const last = Math.min(tasks, first + perCell) - 1;
  const state = wordOf(stateName(states[cell] ?? 0));
  return perCell === 1 ? `task ${first}: ${state}` : `tasks ${first} to ${last}: ${state} at worst`;
}

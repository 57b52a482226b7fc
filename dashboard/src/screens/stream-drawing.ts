// The task stream on canvas: lanes, bars, the axis of time, and which bar is under a pointer.

import type { StreamView } from "../../../src/client/index.ts";
import { pictureStates } from "../../../src/protocol/picture-states.ts";
import { themeColour } from "../ui/canvas.ts";
import type { Canvas } from "../ui/canvas.ts";
import { duration } from "../ui/format.ts";
import { lookOf } from "../ui/states.tsx";

export const namesPx = 120;
export const axisPx = 22;
export const stateName = (state: number): string => pictureStates[state] ?? "unknown";

export interface Range {
  readonly from: number;
  readonly to: number;
}

export const ordered = ({ from, to }: Range): Range => ({
  from: Math.min(from, to),
  to: Math.max(from, to),
});

const toneColour = (state: string): string => `fill-${lookOf(state).tone}`;

export interface Scale {
  readonly range: Range;
  readonly left: number;
  readonly width: number;
  readonly rowPx: number;
}

export function drawStream(
  canvas: Canvas,
  stream: StreamView,
  scale: Scale,
  brush: Range | undefined,
): void {
  drawLanes(canvas, stream, scale);
  drawBars(canvas, stream, scale);
  drawCells(canvas, stream, scale);
  drawAxis(canvas, scale);
  if (!brush) return;
  const { from, to } = ordered(brush);
  const [x1, x2] = [xOf(from, scale), xOf(to, scale)];
  canvas.context.globalAlpha = 0.2;
  canvas.context.fillStyle = themeColour("accent");
  canvas.context.fillRect(x1, 0, Math.max(1, x2 - x1), canvas.height - axisPx);
  canvas.context.globalAlpha = 1;
}

const xOf = (time: number, { range, left, width }: Scale): number =>
  left + ((time - range.from) / (range.to - range.from)) * width;

function drawLanes(
  { context, width }: Canvas,
  { lanes }: StreamView,
  { left, rowPx }: Scale,
): void {
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  const [line, text] = [themeColour("line"), themeColour("dim")];
  let before: string | undefined;
  let nameY = -20;
  for (const [at, { worker }] of lanes.entries()) {
    if (worker === before) continue;
    before = worker;
    context.fillStyle = line;
    context.fillRect(0, at * rowPx, width, 1);
    const y = at * rowPx + Math.max(rowPx, 12) / 2 + 1;
    // Rows may be lower than letters.
    if (y < nameY + 12) continue;
    nameY = y;
    context.fillStyle = text;
    context.save();
    context.beginPath();
    context.rect(0, 0, left - 8, lanes.length * rowPx + 12);
    context.clip();
    context.fillText(worker, 2, y);
    context.restore();
  }
}

/** Where there are too many bars: for each worker and span of time how many ran, and the worst end. */
function drawCells({ context }: Canvas, { cells }: StreamView, scale: Scale): void {
  if (!cells) return;
  const most = new Map<number, number>();
  for (const [at, lane] of cells.lane.entries()) {
    most.set(lane, Math.max(most.get(lane) ?? 0, cells.running[at] ?? 0));
  }
  const colours = pictureStates.map((state) => themeColour(toneColour(state)));
  context.save();
  context.beginPath();
  context.rect(scale.left, 0, scale.width, 1e6);
  context.clip();
  for (const [at, lane] of cells.lane.entries()) {
    const start = (cells.cell[at] ?? 0) * cells.ms;
    const [x, end] = [xOf(start, scale), xOf(start + cells.ms, scale)];
    const high =
      ((cells.running[at] ?? 0) / Math.max(most.get(lane) ?? 1, 1e-9)) * (scale.rowPx - 1);
    context.fillStyle = colours[cells.state[at] ?? 0] ?? "";
    context.fillRect(x, (lane + 1) * scale.rowPx - high, Math.max(1, end - x), high);
  }
  context.restore();
}

function drawBars({ context }: Canvas, { bars }: StreamView, scale: Scale): void {
  if (!bars) return;
  const { range, rowPx, left, width } = scale;
  const byTone = new Map<string, number[]>();
  for (const [at, state] of bars.state.entries()) {
    if ((bars.end[at] ?? 0) < range.from || (bars.start[at] ?? 0) > range.to) continue;
    const tone = toneColour(stateName(state));
    const list = byTone.get(tone);
    if (list) list.push(at);
    else byTone.set(tone, [at]);
  }
  const gap = rowPx > 6 ? 2 : rowPx > 4 ? 1 : 0;
  context.save();
  context.beginPath();
  context.rect(left, 0, width, 1e6);
  context.clip();
  for (const [tone, list] of byTone) {
    context.fillStyle = themeColour(tone);
    context.beginPath();
    for (const at of list) {
      const x = xOf(bars.start[at] ?? 0, scale);
      const end = xOf(bars.end[at] ?? 0, scale);
      const wide = end - x;
      // A hair between neighbours, where there is room for one.
      context.rect(
        x,
        (bars.lane[at] ?? 0) * rowPx + gap,
        Math.max(1, wide > 3 ? wide - 1 : wide),
        rowPx - gap,
      );
    }
    context.fill();
  }
  context.restore();
}

function drawAxis({ context, height }: Canvas, scale: Scale): void {
  const { range, left, width } = scale;
  const step = niceStep((range.to - range.from) / Math.max(2, width / 110));
  context.font = "11px system-ui, sans-serif";
  const [line, text] = [themeColour("line"), themeColour("dim")];
  for (let at = Math.ceil(range.from / step) * step; at <= range.to; at += step) {
    const x = Math.round(xOf(at, scale));
    context.fillStyle = line;
    context.fillRect(x, 0, 1, height - axisPx + 4);
    if (x > left + width - 34) continue;
    context.fillStyle = text;
    context.fillText(at === 0 ? "0" : duration(at), x + 3, height - axisPx / 2 + 3);
  }
}

function niceStep(least: number): number {
  const steps = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 3e4, 6e4, 12e4, 3e5, 6e5,
  ];
  return steps.find((step) => step >= least) ?? Math.ceil(least / 36e5) * 36e5;
}

export function barAt(
  { bars }: StreamView,
  lane: number,
  time: number,
  slack: number,
): number | undefined {
  if (!bars) return undefined;
  let best: number | undefined;
  for (let at = 0; at < bars.lane.length; at++) {
    if (bars.lane[at] !== lane) continue;
    const [start = 0, end = 0] = [bars.start[at], bars.end[at]];
    if (time >= start - slack && time <= end + slack) best = at;
    if (time >= start && time <= end) return at;
  }
  return best;
}

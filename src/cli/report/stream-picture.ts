// The task stream as SVG: a row per slot, a bar per attempt; or cells of time where there are too many attempts.
//
//   T1. The picture stands without a script: the script only says what is under the pointer.
//   T2. Its size is bounded by what can be seen: bars of one state that touch on the screen are drawn as one, workers
//       beyond `rowsMax` share rows.

import type { StreamView } from "../../client/index.ts";
import { duration } from "../format.ts";
import { stateName } from "./facts.ts";
import { markup, visible } from "./html.ts";
import type { Html } from "./html.ts";

const edge = { wide: 1_120, right: 20, top: 6, axis: 26 } as const;
const heightMax = 640;
const laneMax = 18;
const labelMin = 13;
const labelChars = 16;
const labelCharWide = 6.9;
/** What ends thinner than this would not be seen. */
const barMin = 0.8;
const rowsMax = 160;
const columnsMax = 400;
/** How dark a cell is, from nearly idle to its worker's most. */
const levels = 4;

/** Drawn in this order: what needs a look lies on top. */
const onTop = ["given_back", "succeeded", "running", "cancelled", "lost", "failed"];

export interface Picture {
  readonly svg: Html;
  /** States that occur, in the order of a legend. */
  readonly states: readonly string[];
  /** For the script: see script.ts. */
  readonly data: object;
}

/** Where the bars are; times begin at its left edge. */
interface Plot {
  readonly left: number;
  readonly width: number;
  /** Of a row. */
  readonly height: number;
  readonly span: number;
}

interface Row {
  readonly label: string;
  /** Its worker's first. */
  readonly first: boolean;
}

export function streamPicture(stream: StreamView): Picture {
  return stream.cells ? cellPicture(stream) : barPicture(stream);
}

function plotFor(rows: readonly Row[], span: number): Plot {
  const longest = Math.max(0, ...rows.map(({ label }) => Math.min(labelChars, label.length)));
  const left = 16 + Math.ceil(longest * labelCharWide);
  const height = Math.min(laneMax, heightMax / Math.max(1, rows.length));
  return { left, width: edge.wide - edge.right - left, height, span: Math.max(1, span) };
}

// ── bars ─────────────────────────────────────────────────────────────────────────────────

interface Placed {
  readonly i: number;
  readonly lane: number;
  readonly start: number;
  readonly end: number;
  readonly state: number;
}

function barPicture(stream: StreamView): Picture {
  const { bars, lanes, from, to } = stream;
  const placed: Placed[] = (bars?.lane ?? [])
    .map((lane, i) => {
      const start = Math.max(0, bars?.start[i] ?? 0);
      const end = Math.max(start, bars?.end[i] ?? 0);
      return { i, lane, start, end, state: bars?.state[i] ?? 0 };
    })
    .toSorted((a, b) => a.lane - b.lane || a.start - b.start);
  const rows = lanes.map(({ worker, slot }) => ({ label: worker, first: slot === 0 }));
  const plot = plotFor(rows, to - from);
  const paths = pathsOf(placed, plot);
  return {
    svg: frame(rows, plot, drawn(paths)),
    states: onTop.toReversed().filter((state) => paths.has(state)),
    data: { ...plot, top: edge.top, ...barData(stream, placed) },
  };
}

function pathsOf(placed: readonly Placed[], plot: Plot): Map<string, string[]> {
  const { height } = plot;
  const scale = plot.width / plot.span;
  const paths = new Map<string, string[]>();
  const gap = Math.min(2, height * 0.18);
  let open: { lane: number; state: number; x: number; end: number } | undefined;
  const close = () => {
    if (!open) return;
    const { lane, state, x, end } = open;
    const wide = end - x;
    const apart = wide > 3 ? 0.7 : 0;
    const y = edge.top + lane * height + gap / 2;
    const h = tenth(height - gap);
    const w = tenth(Math.max(barMin, wide - apart));
    const name = stateName(state);
    const list = paths.get(name) ?? [];
    paths.set(name, list);
    list.push(`M${tenth(x)} ${tenth(y)}h${w}v${h}h-${w}z`);
  };
  for (const { lane, start, end, state } of placed) {
    const x = plot.left + start * scale;
    const right = plot.left + end * scale;
    const thin = right - x < 3;
    if (open && thin && open.lane === lane && open.state === state && x - open.end < barMin / 2) {
      open.end = Math.max(open.end, right, x + barMin);
      continue;
    }
    close();
    open = { lane, state, x, end: Math.max(right, x + barMin / 2) };
  }
  close();
  return paths;
}

/** What the script needs to find a bar: by lane, gaps and lengths in units of time. */
function barData({ bars, lanes, from, to }: StreamView, placed: readonly Placed[]) {
  const unit = to - from > 600_000 ? 1 : 0.1;
  const workers = [...new Set(lanes.map(({ worker }) => worker))];
  const numberOf = new Map(workers.map((name, i) => [name, i]));
  const perLane = lanes.map(() => 0);
  const gap: number[] = [];
  const length: number[] = [];
  const attempts: Record<number, number> = {};
  let lane = -1;
  let at = 0;
  for (const [k, bar] of placed.entries()) {
    perLane[bar.lane] = (perLane[bar.lane] ?? 0) + 1;
    if (bar.lane !== lane) [lane, at] = [bar.lane, 0];
    const start = Math.round(bar.start / unit);
    gap.push(start - at);
    at = start;
    length.push(Math.round((bar.end - bar.start) / unit));
    const attempt = bars?.attempt[bar.i] ?? 1;
    if (attempt !== 1) attempts[k] = attempt;
  }
  return {
    unit,
    names: workers.map(visible),
    lanes: lanes.map(({ worker, slot }) => [numberOf.get(worker) ?? 0, slot]),
    perLane,
    gap,
    length,
    task: placed.map(({ i }) => bars?.task[i] ?? 0),
    attempts,
    states: placed.map(({ state }) => state).join(""),
  };
}

// ── cells ────────────────────────────────────────────────────────────────────────────────

interface Cell {
  running: number;
  most: number;
  state: number;
}

function cellPicture({ cells, lanes, from, to }: StreamView): Picture {
  const ms = cells?.ms ?? 1;
  const columns = Math.min(columnsMax, Math.max(1, Math.ceil((to - from) / ms)));
  const perRow = Math.ceil(lanes.length / rowsMax);
  const rows: Row[] = [];
  for (let lane = 0; lane < lanes.length; lane += perRow) {
    const others = Math.min(lanes.length, lane + perRow) - lane - 1;
    const label = lanes[lane]?.worker ?? "";
    rows.push({ label: others === 0 ? label : `${label} +${others}`, first: true });
  }
  const table = rows.map(() => new Map<number, Cell>());
  cells?.lane.forEach((lane, i) => {
    const row = table[Math.floor(lane / perRow)];
    const column = Math.min(columns - 1, cells.cell[i] ?? 0);
    const running = cells.running[i] ?? 0;
    const before = row?.get(column) ?? { running: 0, most: 0, state: 5 };
    row?.set(column, {
      running: before.running + running,
      most: Math.max(before.most, running),
      state: worse(before.state, cells.state[i] ?? 5),
    });
  });
  const plot = plotFor(rows, to - from);
  const paths = cellPaths(table, plot, columns);
  const names = new Set([...paths.keys()].map((key) => key.split(" ")[0] ?? ""));
  return {
    svg: frame(rows, plot, drawn(paths)),
    states: onTop.toReversed().filter((state) => names.has(state)),
    data: { ...plot, top: edge.top, rows: rowData(rows, table, columns), columns },
  };
}

function worse(a: number, b: number): number {
  return onTop.indexOf(stateName(b)) > onTop.indexOf(stateName(a)) ? b : a;
}

function cellPaths(
  table: readonly ReadonlyMap<number, Cell>[],
  { left, width, height }: Plot,
  columns: number,
): Map<string, string[]> {
  const paths = new Map<string, string[]>();
  const wide = width / columns;
  for (const [r, row] of table.entries()) {
    const top = Math.max(...[...row.values()].map(({ running }) => running), 1);
    const kindAt = (column: number) => {
      const cell = row.get(column);
      if (!cell || cell.running <= 0) return "";
      const level = Math.max(1, Math.ceil((cell.running / top) * levels - 0.05));
      return `${stateName(cell.state)} l${Math.min(levels, level)}`;
    };
    const y = tenth(edge.top + r * height + 0.5);
    const h = tenth(Math.max(0.5, height - 1));
    for (let column = 0; column < columns;) {
      const kind = kindAt(column);
      let end = column + 1;
      while (end < columns && kindAt(end) === kind) end++;
      if (kind !== "") {
        const list = paths.get(kind) ?? [];
        paths.set(kind, list);
        const w = tenth((end - column) * wide);
        list.push(`M${tenth(left + column * wide)} ${y}h${w}v${h}h-${w}z`);
      }
      column = end;
    }
  }
  return paths;
}

function rowData(
  rows: readonly Row[],
  table: readonly ReadonlyMap<number, Cell>[],
  columns: number,
) {
  return rows.map(({ label }, r) => {
    const cells = Array.from({ length: columns }, (_, column) => table[r]?.get(column));
    return {
      label: visible(label),
      running: cells.map((cell) => tenth(cell?.running ?? 0)),
      states: cells.map((cell) => (cell ? cell.state : 0)).join(""),
    };
  });
}

// ── around both ──────────────────────────────────────────────────────────────────────────

function drawn(paths: ReadonlyMap<string, readonly string[]>): readonly Html[] {
  const rank = (key: string) => onTop.indexOf(key.split(" ")[0] ?? "");
  return [...paths]
    .toSorted(([a], [b]) => rank(a) - rank(b))
    .map(([key, list]) => markup`<path class="s-${key}" d="${list.join("")}" />`);
}

function frame(rows: readonly Row[], plot: Plot, marks: readonly Html[]): Html {
  const bottom = edge.top + rows.length * plot.height;
  return markup`<svg
    id="stream"
    viewBox="0 0 ${edge.wide} ${tenth(bottom + edge.axis)}"
    role="img"
    aria-label="Task stream: what ran when, a row per slot"
  >
    <rect
      class="plot"
      x="${plot.left}"
      y="${edge.top}"
      width="${plot.width}"
      height="${tenth(bottom - edge.top)}"
    />
    ${axis(plot, bottom)}${labels(rows, plot)}${marks}
  </svg>`;
}

/** Of every worker that has room. */
function labels(rows: readonly Row[], { left, width, height }: Plot): readonly Html[] {
  let free = -Infinity;
  return rows.flatMap(({ label, first }, i) => {
    const y = edge.top + i * height;
    if (!first || y < free) return [];
    free = y + labelMin;
    const line =
      i === 0 || height * rows.length < labelMin
        ? undefined
        : markup`<path class="rule" d="M0 ${tenth(y)}h${left + width}" />`;
    const chars = Array.from(label);
    const short =
      chars.length > labelChars
        ? `${chars.slice(0, 9).join("")}…${chars.slice(-6).join("")}`
        : label;
    const at = tenth(y + Math.min(11.5, Math.max(height, labelMin) * 0.72));
    return [
      markup`${line}<text class="label" x="${left - 8}" y="${at}"
          ><title>${label}</title>${short}</text
        >`,
    ];
  });
}

const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500]
  .concat([1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800].map((s) => s * 1_000))
  .concat([1, 2, 3, 6, 12, 24, 48, 120, 240].map((h) => h * 3_600_000));
const ticksMax = 9;

function axis({ left, width, span }: Plot, bottom: number): readonly Html[] {
  const step = steps.find((one) => span / one <= ticksMax) ?? span;
  const ticks: Html[] = [];
  for (let ms = 0; ms <= span; ms += step) {
    const x = tenth(left + (ms / span) * width);
    const text =
      ms === 0
        ? "0"
        : duration(ms)
            .replace(/ 0[smh]$/, "")
            .replace(/\.0 s$/, " s");
    ticks.push(
      markup`<path class="tick" d="M${x} ${edge.top}V${tenth(bottom + 4)}" /><text
          class="time"
          x="${x}"
          y="${tenth(bottom + 18)}"
          >${text}</text
        >`,
    );
  }
  return ticks;
}

export function tenth(n: number): number {
  return Math.round(n * 10) / 10;
}

// What is drawn while a cluster or a job is watched: pure functions of what the masters answered.

import type {
  ErrorGroupsView,
  GridView,
  JobView,
  OverviewView,
  SeriesView,
} from "../../client/index.ts";
import { between, count, duration, plural, shortId } from "../format.ts";
import { bar, cut, state } from "../render.ts";
import { visible } from "../report/html.ts";
import { widthOf } from "../style.ts";
import type { Style } from "../style.ts";
import { countsText, doneTasks, hasEnded, lostTasks, nextSteps } from "../views.ts";
import type { Size } from "./screen.ts";

const labelColumns = 9;
const sparkMax = 60;
const attentionMax = 4;
const jobsMax = 8;

/** Values as a line of blocks, the newest at the right; of several in a column the largest. */
export function sparkline(values: readonly number[], width: number, style: Style): string {
  const { ramp } = style.symbols;
  const steps = Array.from(ramp);
  const per = Math.max(1, Math.ceil(values.length / width));
  const columns: number[] = [];
  for (let end = values.length; end > 0; end -= per) {
    columns.unshift(Math.max(...values.slice(Math.max(0, end - per), end)));
  }
  const top = Math.max(...columns, Number.MIN_VALUE);
  const marks = columns.map((value) => {
    if (value <= 0) return steps[0];
    // What is little is more than nothing.
    return steps[Math.max(1, Math.round((value / top) * (steps.length - 1)))];
  });
  return " ".repeat(Math.max(0, width - marks.length)) + style.cyan(marks.join(""));
}

export function rateText(rate: number): string {
  return rate > 0 && rate < 10 ? `${rate.toFixed(1)}/s` : `${count(Math.round(rate))}/s`;
}

function verdictLine(level: OverviewView["level"], verdict: string, style: Style): string {
  const { ok, warn, fail } = style.symbols;
  const marks = { ok: style.green(ok), warn: style.yellow(warn), bad: style.red(fail) };
  return `${marks[level]} ${style.bold(visible(verdict))}`;
}

// ── the cluster ──────────────────────────────────────────────────────────────────────────

export function clusterFrame(
  view: OverviewView,
  series: SeriesView | undefined,
  { columns, rows }: Size,
  style: Style,
): string[] {
  const room = Math.min(sparkMax, columns - labelColumns - 32);
  const lines = [
    verdictLine(view.level, view.verdict, style),
    style.dim(`  ${view.master} answers, term ${view.term}, batch ${count(view.index)}`),
    "",
    ...sparks(view, series, room, style),
    ...attentionLines(view, style),
    ...runningLines(view, columns, style),
  ];
  return [...lines, ...workerLines(view, rows - 1 - lines.length, columns, style)];
}

function sparks(
  view: OverviewView,
  series: SeriesView | undefined,
  room: number,
  style: Style,
): string[] {
  const { rates, tasks, cpu } = view;
  const wait = view.oldestWaitMs > 0 ? `, the oldest ${duration(view.oldestWaitMs)}` : "";
  const failed = rates.failed > 0 ? style.red(`, ${rateText(rates.failed)} failed`) : "";
  const rows: readonly (readonly [string, readonly number[] | undefined, string])[] = [
    ["done", series?.succeeded, `${rateText(rates.succeeded)}${failed}`],
    ["waiting", series?.waiting, `${count(tasks.waiting)}${wait}`],
    [
      "cpu",
      series?.used,
      `${cpu.used} of ${cpu.total}, ${plural(tasks.assigned, "task")} assigned`,
    ],
  ];
  return rows.map(([name, values, text]) => {
    const line = room >= 8 ? `${sparkline(values ?? [], room, style)}  ` : "";
    return `${style.dim(name.padEnd(labelColumns))}${line}${text}`;
  });
}

function attentionLines({ attention }: OverviewView, style: Style): string[] {
  if (attention.length === 0) return [];
  const shown = attention.slice(0, attentionMax).flatMap(({ level, text, hint }) => {
    const paint = level === "bad" ? style.red : style.yellow;
    const mark = paint(level === "bad" ? style.symbols.fail : style.symbols.warn);
    const next = hint === null ? "" : style.dim(`  ${visible(hint)}`);
    return [`${mark} ${visible(text)}${next}`];
  });
  const more = attention.length - attentionMax;
  return ["", ...shown, ...(more > 0 ? [style.dim(`  and ${more} more: skein status`)] : [])];
}

function runningLines({ running, jobs }: OverviewView, columns: number, style: Style): string[] {
  const head = ["", style.dim(`JOBS      ${count(jobs.unfinished)} unfinished`)];
  if (running.length === 0) return [...head, style.dim("  none runs")];
  const barWidth = columns >= 100 ? 24 : 12;
  const rows = running.slice(0, jobsMax).map((job) => {
    const done = doneTasks(job);
    const failed = lostTasks(job);
    const parts = [
      shortId(job.id),
      cut(visible(job.task), 16, style).padEnd(16),
      bar(done / Math.max(1, job.tasks), barWidth, style),
      `${count(done)}/${count(job.tasks)}`,
      failed > 0 ? style.red(`failed ${count(failed)}`) : "",
      job.etaMs === null ? "" : `ETA ${duration(job.etaMs)}`,
    ];
    return parts.filter((part) => part !== "").join("  ");
  });
  const more = Math.max(0, jobs.unfinished - rows.length);
  return [
    ...head,
    ...rows,
    ...(more > 0 ? [style.dim(`  and ${count(more)} more: skein job list`)] : []),
  ];
}

function workerLines(
  { workers }: OverviewView,
  room: number,
  columns: number,
  style: Style,
): string[] {
  const head = ["", style.dim(`WORKERS   ${count(workers.total)}`)];
  if (workers.total === 0) return [...head, "  none: skein worker, or skein up --workers 2"];
  // Ill ones first: the healthy are many.
  const sorted = workers.items.toSorted((a, b) => rank(a.state) - rank(b.state));
  const lines = Math.max(1, room - head.length);
  const shown = sorted.slice(0, sorted.length > lines ? lines - 1 : lines);
  const wide = Math.min(24, Math.max(...shown.map(({ id }) => widthOf(visible(id)))));
  const barWidth = columns >= 100 ? 24 : 12;
  const rows = shown.map(({ id, state: word, used, total, running }) => {
    const name = cut(visible(id), wide, style).padEnd(wide);
    const load = bar(total === 0 ? 0 : used / total, barWidth, style);
    const said = state(word, style) + " ".repeat(Math.max(0, 8 - word.length));
    return `${name}  ${said}  ${load}  ${used} of ${total} cpu  ${running} running`;
  });
  const more = workers.total - shown.length;
  return [
    ...head,
    ...rows,
    ...(more > 0 ? [style.dim(`  and ${count(more)} more: skein worker list`)] : []),
  ];
}

function rank(word: string): number {
  return ["lost", "suspect", "draining", "drained", "active"].indexOf(word);
}

/** One line that says the same, for a pipe. */
export function clusterLine({
  verdict,
  level,
  workers,
  cpu,
  tasks,
  running,
}: OverviewView): string {
  const jobs = running.map((job) => `${shortId(job.id)} ${doneTasks(job)}/${job.tasks}`);
  const parts = [
    level,
    visible(verdict),
    `workers ${workers.total}`,
    `cpu ${cpu.used}/${cpu.total}`,
    `waiting ${tasks.waiting}`,
    `assigned ${tasks.assigned}`,
    jobs.length === 0 ? "" : `jobs ${jobs.join(" ")}`,
  ];
  return parts.filter((part) => part !== "").join("  ");
}

// ── a job ────────────────────────────────────────────────────────────────────────────────

export interface JobSeen {
  readonly job: JobView;
  readonly grid?: GridView | undefined;
  readonly errors?: ErrorGroupsView | undefined;
  /** Tasks that ended in each second that was watched. */
  readonly ended: readonly number[];
}

const rateSeconds = 5;
const groupsMax = 3;

export function jobFrame(
  { job, grid, errors, ended }: JobSeen,
  { columns, rows }: Size,
  now: number,
  style: Style,
): string[] {
  const done = doneTasks(job);
  const recent = ended.slice(-rateSeconds);
  const rate = recent.length === 0 ? 0 : recent.reduce((a, b) => a + b, 0) / recent.length;
  const left = job.tasks - done;
  const eta = rate > 0 && left > 0 && !job.open ? `ETA ${duration((left / rate) * 1_000)}` : "";
  const time = between(job.started, job.ended, now);
  const numbers = [`${count(done)}/${count(job.tasks)}`, time, eta].filter((part) => part !== "");
  const text = numbers.join("  ");
  const wide = Math.max(10, columns - text.length - 2);
  const lines = [
    `${style.bold(visible(job.task))}  ${shortId(job.id)}  ${state(job.state, style)}  ${style.dim(`in queue ${visible(job.queue)}`)}`,
    `${bar(done / Math.max(1, job.tasks), wide, style)}  ${text}`,
    "",
    `${style.dim("tasks".padEnd(labelColumns))}${countsText(job.counts, style)}`,
    `${style.dim("done".padEnd(labelColumns))}${sparkline(ended, Math.min(sparkMax, columns - 30), style)}  ${rateText(rate)}`,
    ...errorLines(job, errors, style),
  ];
  const steps = ["", style.dim(stepsOf(job))];
  const room = rows - 1 - lines.length - steps.length - 2;
  return [...lines, ...gridLines(grid, columns, room, style), ...steps];
}

function stepsOf(job: JobView): string {
  const id = shortId(job.id);
  if (hasEnded(job)) return nextSteps([["report", `skein job report ${id} job.html`]]);
  const cancel = nextSteps([["cancel", `skein job cancel ${id}`]]);
  return `Ctrl-C ends the watch, not the job.   ${cancel}`;
}

function errorLines(job: JobView, errors: ErrorGroupsView | undefined, style: Style): string[] {
  return (errors?.groups ?? []).slice(0, groupsMax).map((group, i) => {
    const [line = ""] = (group.message || group.reason).split("\n");
    const name = style.dim((i === 0 ? "errors" : "").padEnd(labelColumns));
    const where = style.dim(`  skein logs ${shortId(job.id)}/${group.first.task}`);
    return `${name}${style.red(`${count(group.count)} x`)} ${visible(line)}${where}`;
  });
}

/** A mark for each cell, in the order of `pictureStates`: told apart without colours too. */
const marks = {
  unicode: Array.from("··:▸▶█✖-"),
  ascii: Array.from("..:>>#x-"),
};

/** Lines that a grid may fill. */
export const gridRowsMax = 8;

function gridLines(
  grid: GridView | undefined,
  columns: number,
  room: number,
  style: Style,
): string[] {
  if (!grid || grid.tasks === 0 || room < 1) return [];
  const set = style.symbols.barFull === "#" ? marks.ascii : marks.unicode;
  const paints = [style.dim, style.dim, style.yellow, style.cyan, style.cyan, style.green];
  const cells = Array.from(Buffer.from(grid.states, "base64"));
  const lines: string[] = [];
  for (let at = 0; at < cells.length && lines.length < Math.min(room, gridRowsMax); at += columns) {
    let line = "";
    for (let from = at; from < Math.min(cells.length, at + columns);) {
      const cell = cells[from] ?? 0;
      let end = from + 1;
      while (end < Math.min(cells.length, at + columns) && cells[end] === cell) end++;
      const paint = paints[cell] ?? (cell === 6 ? style.red : style.yellow);
      line += paint((set[cell] ?? "?").repeat(end - from));
      from = end;
    }
    lines.push(line);
  }
  const each = grid.perCell === 1 ? "a mark is a task" : `a mark is ${count(grid.perCell)} tasks`;
  return ["", style.dim(each), ...lines];
}

export function jobLine(job: JobView): string {
  const { counts } = job;
  const parts = [
    shortId(job.id),
    job.state,
    `${doneTasks(job)}/${job.tasks} done`,
    `${counts.assigned} assigned`,
    `${counts.failed} failed`,
  ];
  return parts.join("  ");
}

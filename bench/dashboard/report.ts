/** Results as a file and as a table, with what each is held against. */
import { readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, loadavg, release } from "node:os";
import type { Seen } from "../cluster.ts";
import type { Answered } from "./asking.ts";
import type { Page } from "./browser.ts";
import { left } from "./requests.ts";
import type { Viewing } from "./viewers.ts";
import { slotsPerWorker } from "./world.ts";
import type { Size } from "./world.ts";

/** Of issue 4. */
export const targets = {
  p99Ms: 100,
  viewerBytesPerSecond: 200_000,
  scriptGzipBytes: 250_000,
  framesPerSecond: 30,
} as const;

export interface Report {
  readonly date: string;
  readonly machine: string;
  /** Processes that wanted to run, on average of the last minute: what else the machine did shows here. */
  readonly loadAverage: number;
  readonly durability: string;
  readonly load: string;
  readonly size: Size;
  readonly rounds: number;
  readonly minutes: number;
  readonly targets: typeof targets;
  readonly answers: readonly Answered[];
  readonly notAsked: Readonly<Partial<Record<string, string>>>;
  readonly master: Seen;
  readonly viewing: readonly Viewing[];
  readonly page: Page;
  readonly shortfalls: readonly string[];
}

export interface Measured {
  readonly size: Size;
  readonly rounds: number;
  readonly answers: readonly Answered[];
  readonly master: Seen;
  readonly viewing: readonly Viewing[];
  readonly page: Page;
  readonly began: number;
}

export function makeReport({ began, ...measured }: Measured): Report {
  const [cpu] = cpus();
  return {
    date: new Date().toISOString(),
    machine: `${cpus().length} × ${cpu?.model ?? "?"}, ${arch()}, Linux ${release()}, Node ${process.version}`,
    loadAverage: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    durability:
      "SQLite WAL, synchronous=FULL: every submit and outcome fsynced before it is acknowledged",
    load: `one master; 5 jobs with a tenth of all tasks run meanwhile, ${slotsPerWorker} tasks a worker at a time`,
    minutes: Math.round((performance.now() - began) / 6_000) / 10,
    targets,
    notAsked: left,
    shortfalls: shortfallsOf(measured),
    ...measured,
  };
}

function shortfallsOf({ answers, viewing, page }: Omit<Measured, "began">): string[] {
  const slow = answers.filter(({ p99 }) => p99 > targets.p99Ms);
  const { viewerBytesPerSecond: most } = targets;
  const wide = viewing.filter(({ bytesPerSecond }) => bytesPerSecond > most);
  return [
    ...slow.map((one) => `${nameOf(one)}: p99 is ${one.p99} ms, the target is ${targets.p99Ms} ms`),
    ...wide.map(
      ({ viewers, bytesPerSecond }) =>
        `${viewers} viewers: ${bytesPerSecond} B/s each, the target is ${most} B/s`,
    ),
    ...("skipped" in page ? [] : ofPage(page)),
  ];
}

function ofPage({ scriptGzipBytes, frames }: Exclude<Page, { skipped: string }>): string[] {
  const { scriptGzipBytes: most, framesPerSecond: least } = targets;
  const large = scriptGzipBytes > most;
  return [
    ...(large ? [`script: ${scriptGzipBytes} B gzipped, the target is ${most} B`] : []),
    ...frames
      .filter(({ perSecond }) => perSecond < least)
      .map(({ what, perSecond }) => `${what}: ${perSecond} frames/s, the target is ${least}`),
  ];
}

function nameOf({ route, what }: Answered): string {
  return what === "" ? route : `${route}, ${what}`;
}

/** Markdown, which reads well in a terminal too. */
export function formatReport(report: Report): string {
  const { size, answers, viewing, page, shortfalls } = report;
  const zipped = answers.some(({ encoding }) => encoding === "gzip");
  const parts = [
    `Measured by \`npm run bench -- dashboard\` on ${report.date.slice(0, 10)} in ${report.minutes} minutes. ` +
      `Machine: ${report.machine}, load average ${report.loadAverage}. Durability: ${report.durability}.`,
    `${whole(size.tasks)} tasks in ${whole(size.jobs)} jobs, ${whole(size.workers)} simulated workers; ${report.load}. ` +
      `One request at a time, ${report.rounds} of each, in turns. ` +
      `Milliseconds until the whole answer is there; answers are ${zipped ? "" : "not "}gzipped.`,
    table(
      ["GET", "p50", "p95", "p99", "max", "bytes", "gzip", `p99 ≤ ${targets.p99Ms}`],
      answers.map((one) => [
        nameOf(one),
        ...[one.p50, one.p95, one.p99, one.max].map((value) => value.toFixed(1)),
        ...[one.bytes, one.gzipBytes].map(whole),
        one.p99 <= targets.p99Ms ? "met" : `${(one.p99 / targets.p99Ms).toFixed(1)} ×`,
      ]),
    ),
    table(
      ["viewers", "B/s each", "loop stall p99.9, ms", "max", "master's cpu, %", "tick gap, ms"],
      viewing.map((one) =>
        [
          one.viewers,
          one.bytesPerSecond,
          one.stallP999Ms,
          one.stallMaxMs,
          one.masterCpuPercent,
          one.tickGapMaxMs,
        ].map(whole),
      ),
    ),
    pageText(page),
    shortfalls.length === 0
      ? "All targets are met."
      : ["Not met:", ...shortfalls.map((text) => `- ${text}`)].join("\n"),
  ];
  return parts.join("\n\n");
}

function pageText(page: Page): string {
  if ("skipped" in page) return `The page was NOT measured: ${page.skipped}.`;
  return [
    `Script: ${whole(page.scriptGzipBytes)} B gzipped.`,
    ...page.paints.map(({ what, ms }) => `First paint of ${what}: ${whole(ms)} ms.`),
    ...page.frames.map(({ what, perSecond }) => `${what}: ${perSecond} frames/s.`),
  ].join(" ");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

const document = new URL("../../docs/performance.md", import.meta.url);
const begin = "<!-- dashboard:begin -->";
const end = "<!-- dashboard:end -->";

/** Only what stands between the markers is touched. */
export function writeDocument(report: Report): void {
  const text = readFileSync(document, "utf8");
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${document.pathname} lacks its markers`);
  const section = `${begin}\n\n${formatReport(report)}\n\n`;
  writeFileSync(document, text.slice(0, from) + section + text.slice(to));
}

/** Results as a file, as a table, and as the generated part of docs/reliability.md. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, release } from "node:os";
import type { StalledResult } from "../peers/bullmq-stalled.ts";
import { row, shortfallsOf } from "./figures.ts";
import type { Row } from "./figures.ts";
import type { Series } from "./series.ts";
import { steps } from "./timeline.ts";
import { masters, slots, submitEveryMs, workers } from "./world.ts";

export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly durability: Readonly<Record<string, string>>;
  readonly load: string;
  readonly seed: number;
  readonly minutes: number;
  readonly rows: readonly Row[];
  readonly shortfalls: readonly string[];
  readonly series: readonly Omit<Series, "rows">[];
  readonly peer: StalledResult | null;
}

const durability = {
  sqlite: "WAL, synchronous=FULL: every submit and outcome fsynced before it is acknowledged",
  etcd: "3 members on this machine, each fsyncs; heartbeat 50 ms, election 500 ms",
  bullmq: "Redis, appendfsync everysec; lockDuration and stalledInterval 30 s, the defaults",
};

export function makeReport(
  series: readonly Series[],
  peer: StalledResult | null,
  { seed, began }: { readonly seed: number; readonly began: number },
): Report {
  const [cpu] = cpus();
  const measured = peer?.what === "measured" ? peer : undefined;
  const rows = series.flatMap((one) => one.rows);
  if (measured)
    rows.push(row("worker killed → its job runs elsewhere", "BullMQ", measured.againMs));
  const versions: Record<string, string> = { skein: skeinVersion(), node: process.version };
  for (const { engine, version } of series) versions[engine] = version;
  if (measured) versions["bullmq"] = measured.version;
  return {
    date: new Date().toISOString(),
    machine: `${cpus().length} × ${cpu?.model ?? "?"}, ${arch()}, Linux ${release()}`,
    versions,
    durability,
    load:
      `${masters} masters, ${workers} workers of ${slots} slots; a submit every ${submitEveryMs} ms, ` +
      "two jobs of 60 tasks of 10–40 ms and three tasks of 5–15 s at any time",
    seed,
    minutes: Math.round((performance.now() - began) / 6_000) / 10,
    rows,
    shortfalls: [...shortfallsOf(rows), ...series.flatMap(broken)],
    series: series.map(({ rows: _rows, ...rest }) => rest),
    peer,
  };
}

/** What must be 0. */
function broken({ engine, audit }: Series): string[] {
  const { lost, doubled, restarted } = audit;
  const counts = Object.entries({ lost, doubled, restarted });
  const bad = counts.flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []));
  return bad.length > 0 || audit.wrong.length > 0
    ? [`${engine}: ${[...bad, ...audit.wrong.slice(0, 3)].join("; ")}`]
    : [];
}

function skeinVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return typeof manifest === "object" && manifest && "version" in manifest
    ? String(manifest.version)
    : "?";
}

/** Markdown, which reads well in a terminal too. */
export function formatReport(report: Report): string {
  const { series, shortfalls, peer } = report;
  const parts = [
    `Measured by \`npm run bench -- failover\` on ${report.date.slice(0, 10)} in ${report.minutes} minutes, seed ${report.seed}. ` +
      `Machine: ${report.machine}. Versions: ${pairs(report.versions)}.`,
    `Load: ${report.load}. Times are in milliseconds from just before the signal, by one clock of the machine; a ` +
      `“new start” is user code of a task that the next leader ordered, a “new submit” was sent after the signal.`,
    figuresTable(report.rows),
    checksTable(series),
    timelineTable(series),
    [
      "Durability:",
      ...Object.entries(report.durability).map(([on, text]) => `- ${on}: ${text}`),
    ].join("\n"),
    shortfalls.length === 0
      ? "All targets of the design are met."
      : ["Not met:", ...shortfalls.map((text) => `- ${text}`)].join("\n"),
  ];
  if (peer?.what === "skipped") parts.push(`BullMQ: no row, ${peer.reason}.`);
  return parts.join("\n\n");
}

function figuresTable(rows: readonly Row[]): string {
  const ms = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
  return table(
    ["what", "on", "n", "p50", "p90", "p99", "max", "target (p99)"],
    rows.map(({ what, on, figures: { n, p50, p90, p99, max }, targetMs }) => {
      const target = targetMs === undefined ? "" : `≤ ${targetMs}`;
      return [what, on, String(n), ...[p50, p90, p99, max].map(ms), target];
    }),
  );
}

function checksTable(series: Report["series"]): string {
  return table(
    ["journal", "jobs", "tasks", "running at a kill", "lost", "doubled", "restarted"],
    series.map(({ engine, running, audit }) => {
      const { jobs, tasks, lost, doubled, restarted } = audit;
      return [engine, ...[jobs, tasks, running, lost, doubled, restarted].map(String)];
    }),
  );
}

function timelineTable(series: Report["series"]): string {
  const cells = steps.map(([step, words]) => [
    words,
    ...series.map(({ timeline }) => timeline[step]?.toFixed(0) ?? ""),
  ]);
  const heads = series.map(({ engine }) => `${engine}, ms`);
  return table(["a typical failover (medians)", ...heads], cells);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, at) => Math.max(3, ...all.map((cells) => cells[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, at) => (cells[at] ?? "").padEnd(width)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

function pairs(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => (value.startsWith(name) ? value : `${name} ${value}`))
    .join(", ");
}

const document = new URL("../../docs/reliability.md", import.meta.url);
const begin = "<!-- failover:begin -->";
const end = "<!-- failover:end -->";

/** Only what stands between the markers is touched; they are appended where they are missing. */
export function writeDocument(report: Report): void {
  const text = existsSync(document) ? readFileSync(document, "utf8") : "# Reliability\n";
  const section = `${begin}\n\n${formatReport(report)}\n\n${end}`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  const next =
    from >= 0 && to > from
      ? text.slice(0, from) + section + text.slice(to + end.length)
      : `${text.trimEnd()}\n\n## Failover, measured\n\n${section}\n`;
  writeFileSync(document, next);
}

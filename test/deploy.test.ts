// What is shipped for Prometheus and Grafana, against the registry of a master: no name in it may be wrong, no
// alert may be without a runbook, and Prometheus's own tool must find nothing.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ApiWorld } from "../src/master/api/api-world.fixture.ts";
import { Metrics } from "../src/master/metrics/metrics.ts";
import type { MetricInfo } from "../src/master/metrics/registry.ts";
import { addStateGauges } from "../src/master/metrics/state-gauges.ts";
import type { Watched } from "../src/master/metrics/state-gauges.ts";
import { findTool, howToGet } from "./tools/find-tool.ts";

const fileOf = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const read = (path: string) => readFileSync(fileOf(path), "utf8");
const alertsPath = "deploy/prometheus/alerts.yml";
const promtool = { name: "promtool", debian: "prometheus" };

function allMetrics(): readonly MetricInfo[] {
  const metrics = new Metrics();
  metrics.stop();
  // Nothing of it is read before somebody asks.
  addStateGauges(metrics, {} as Watched);
  return metrics.registry.all;
}

const all = allMetrics();
const series = new Set(
  all.flatMap(({ name, type }) =>
    type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);
const labels = new Set([...all.flatMap((metric) => metric.labels), "job", "instance", "le"]);

function unknownNames(text: string): string[] {
  const named = text.match(/\b(?:skein|process)_[a-z_]+/g) ?? [];
  return named.filter((name) => !series.has(name));
}

function unknownLabels(text: string): string[] {
  const matched = [...text.matchAll(/\b([a-z]+) ?(?:=~?|!=|!~) ?\\?"/g)].map(([, name]) => name);
  const grouped = [...text.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names]) =>
    (names ?? "").split(",").map((name) => name.trim()),
  );
  return [...matched, ...grouped].filter((name) => !labels.has(name ?? "")) as string[];
}

/** Expressions of the dashboard, wherever they stand in it. */
function expressions(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "expr" ? [String(inner)] : expressions(inner),
  );
}

test("the dashboard and the alerts name only metrics and labels that there are", () => {
  const shown = expressions(JSON.parse(read("deploy/grafana/skein.json")));
  const alerts = read(alertsPath);
  expect(shown.length).toBeGreaterThan(20);
  expect(unknownNames([...shown, alerts].join("\n"))).toEqual([]);
  expect(unknownLabels([...shown, alerts].join("\n"))).toEqual([]);
});

test("the runbooks name only metrics that there are", () => {
  expect(unknownNames(read("docs/runbooks.md"))).toEqual([]);
});

test("every alert has its runbook, and every runbook its alert", () => {
  const alerts = [...read(alertsPath).matchAll(/- alert: (\w+)/g)].map(([, name]) => name ?? "");
  const urls = [...read(alertsPath).matchAll(/runbook_url: (\S+)/g)].map(([, url]) => url);
  const sections = [...read("docs/runbooks.md").matchAll(/^## (.+)$/gm)].map(([, name]) => name);
  expect(alerts).toHaveLength(12);
  expect(sections.toSorted()).toEqual(alerts.toSorted());
  expect(urls).toEqual(alerts.map((name) => `docs/runbooks.md#${name.toLowerCase()}`));
});

test("docs/metrics.md has every metric as the registry has it", () => {
  const rows = [...read("docs/metrics.md").matchAll(/^\| `(\w+)` .*$/gm)].map(([row]) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const expected = all.map(({ name, type, labels: own, help }) => [
    `\`${name}\``,
    type,
    own.map((label) => `\`${label}\``).join(", "),
    help,
  ]);
  expect(rows).toEqual(expected);
});

test("names follow the conventions: units in full, counters end in _total", () => {
  for (const { name, type } of all) {
    expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
    expect(name).not.toMatch(/_(ms|millis|mb|kb|percent)(_|$)/);
  }
});

const tool = findTool(promtool);

describe.skipIf(tool === undefined)(`promtool (${howToGet(promtool)})`, () => {
  const check = (args: readonly string[], input?: string) => {
    const { status, stdout, stderr } = spawnSync(tool ?? "", args, { input, encoding: "utf8" });
    return { status, said: stderr + (status === 0 ? "" : stdout) };
  };

  test("finds nothing wrong with the metrics of a master that has worked", async () => {
    await using world = await ApiWorld.open();
    const worker = await world.register();
    const job = await world.submit([1, 2], {}, { queue: "a.b:c@d" });
    await world.work(worker, job);
    const { text } = await world.get("/metrics");
    expect(check(["check", "metrics"], text)).toEqual({ status: 0, said: "" });
  });

  test("finds nothing wrong with the alerts", () => {
    expect(check(["check", "rules", fileOf(alertsPath)])).toEqual({ status: 0, said: "" });
  });

  test("reads the example of a scrape", () => {
    const args = ["check", "config", "--syntax-only", fileOf("deploy/prometheus/scrape.yml")];
    expect(check(args)).toEqual({ status: 0, said: "" });
  });
});

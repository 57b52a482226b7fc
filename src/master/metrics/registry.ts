// The metrics of one master, and the only file that knows the library behind them (prom-client): what counts, what
// is read when somebody asks, and all of it as Prometheus text. One registry per master, none is global: a process
// may hold several.

import { Counter, Gauge, Registry as Backend } from "prom-client";
import type { Metric } from "prom-client";
import { Tally } from "./tally.ts";

export interface MetricInfo {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
}

type Named = Omit<MetricInfo, "type" | "labels"> & { readonly labels?: readonly string[] };

/** Values of labels, in the order in which the metric names them. */
export type LabelValues = readonly string[];
export type Sample = readonly [value: number, ...labels: string[]];

export interface Counted {
  /** A label of few values: never a job's or a task's. */
  add(count: number, ...labels: LabelValues): void;
}

export class Registry {
  static readonly contentType = Backend.PROMETHEUS_CONTENT_TYPE;
  readonly #backend = new Backend();
  readonly #all: MetricInfo[] = [];

  /** Every metric there is, also those that nothing has happened to yet. */
  get all(): readonly MetricInfo[] {
    return this.#all;
  }

  /** Counts what this process was told of: in rows of our own, since the library makes objects and texts to count. */
  counter(named: Named): Counted {
    const { labels } = this.#note("counter", named);
    const rows = new Map<string, { readonly values: LabelValues; count: number }>();
    const counter: Counter = new Counter({
      ...named,
      labelNames: [...labels],
      registers: [this.#backend],
      collect() {
        counter.reset();
        for (const { values, count } of rows.values()) {
          counter.inc(toLabels(labels, values), count);
        }
      },
    });
    return {
      add(count, ...values) {
        const key = keyOf(values);
        const row = rows.get(key);
        if (row) row.count += count;
        else rows.set(key, { values, count });
      },
    };
  }

  /** Read when somebody asks. */
  gauge(named: Named, read: () => Iterable<Sample>): void {
    const { labels } = this.#note("gauge", named);
    const gauge: Gauge = new Gauge({
      ...named,
      labelNames: [...labels],
      registers: [this.#backend],
      collect() {
        gauge.reset();
        for (const [value, ...values] of read()) gauge.set(toLabels(labels, values), value);
      },
    });
  }

  /** A total that is kept elsewhere; read when somebody asks. */
  total(named: Named, read: () => number): void {
    this.#note("counter", named);
    const counter: Counter = new Counter({
      ...named,
      registers: [this.#backend],
      collect() {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  /** `bounds` rise; what is above the last one is counted too. */
  histogram(named: Named, bounds: readonly number[]): Tally {
    const { labels } = this.#note("histogram", named);
    const tally = new Tally(bounds, labels);
    const { name, help } = named;
    const get = async () => ({ name, help, type: "histogram", values: tally.values(name) });
    // The library's own histogram takes one value at a time; its registry asks no more of a metric than this.
    this.#backend.registerMetric({ name, get } as unknown as Metric);
    return tally;
  }

  /** In the text format of Prometheus. */
  text(): Promise<string> {
    return this.#backend.metrics();
  }

  #note(type: MetricInfo["type"], { name, help, labels = [] }: Named): MetricInfo {
    const info = { name, type, help, labels };
    this.#all.push(info);
    return info;
  }
}

function keyOf(values: LabelValues): string {
  const [first = "", second] = values;
  if (second === undefined) return first;
  return values.length === 2 ? `${first}\n${second}` : values.join("\n");
}

function toLabels(names: readonly string[], values: LabelValues): Record<string, string> {
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? ""]));
}

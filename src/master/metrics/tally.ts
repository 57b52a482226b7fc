// A histogram made for the hot path: plain arrays, no object and no text per value, and a value may stand for many
// (all tasks of a range waited equally long). To count a value is to walk over a few bounds and add.

export interface TallyValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One row of buckets: a place to count at, for who counts often under the same labels. */
export class Buckets {
  readonly #bounds: readonly number[];
  /** One for each bound and one for what is above; not cumulative. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number, times = 1): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? 0)) at++;
    this.counts[at] = (this.counts[at] ?? 0) + times;
    this.sum += value * times;
  }
}

export class Tally {
  readonly #bounds: readonly number[];
  readonly #names: readonly string[];
  readonly #rows = new Map<string, { readonly labels: readonly string[]; readonly row: Buckets }>();

  constructor(bounds: readonly number[], names: readonly string[]) {
    this.#bounds = bounds;
    this.#names = names;
    if (names.length === 0) this.at();
  }

  at(...labels: readonly string[]): Buckets {
    const key = labels.length === 1 ? (labels[0] ?? "") : labels.join("\n");
    const known = this.#rows.get(key);
    if (known) return known.row;
    const row = new Buckets(this.#bounds);
    this.#rows.set(key, { labels, row });
    return row;
  }

  /** As Prometheus has them: each bucket with all that is below it. */
  values(name: string): TallyValue[] {
    return [...this.#rows.values()].flatMap(({ labels, row }) => {
      const own = Object.fromEntries(this.#names.map((label, i) => [label, labels[i] ?? ""]));
      let count = 0;
      const buckets = [...this.#bounds.map(String), "+Inf"].map((le, i) => {
        count += row.counts[i] ?? 0;
        return { metricName: `${name}_bucket`, labels: { ...own, le }, value: count };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels: own, value: row.sum },
        { metricName: `${name}_count`, labels: own, value: count },
      ];
    });
  }
}

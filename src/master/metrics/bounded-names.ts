// Names that people choose, as labels: as many as fit, and one word for all others. A label of many values costs
// whoever stores it, and a queue is made by naming it.

export class BoundedNames {
  readonly #max: number;
  readonly #names = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  /** The name itself if it was among the first; else "other". What is once shown by its name stays so. */
  of(name: string): string {
    if (this.#names.has(name)) return name;
    if (this.#names.size >= this.#max) return other;
    this.#names.add(name);
    return name;
  }
}

export const other = "other";

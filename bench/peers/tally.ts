/**
 * Counts what workers have done, task by task.
 *
 * T1. A task that ran twice or not at all fails the benchmark: a rate over a wrong count is no rate.
 */

/** How often each task ran. Indexes go on over warm-up and rounds, so a late double is seen too. */
export class Tally {
  readonly seen: Uint8Array;
  done = 0;
  #onChange: () => void = () => undefined;

  constructor(tasksMax: number) {
    this.seen = new Uint8Array(tasksMax);
  }

  mark(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.seen.length) {
      throw new Error(`a worker got task ${index}, which nobody submitted`);
    }
    this.seen[index] = (this.seen[index] ?? 0) + 1;
    this.done += 1;
    this.#onChange();
  }

  onChange(listener: () => void): void {
    this.#onChange = listener;
  }
}

/** Throws unless tasks 0 … count - 1 ran exactly once over all tallies, and nothing else did. */
export function checkEachOnce(tallies: readonly Uint8Array[], count: number): void {
  const wrong: string[] = [];
  const length = Math.max(count, ...tallies.map((seen) => seen.length));
  for (let index = 0; index < length; index += 1) {
    let times = 0;
    for (const seen of tallies) times += seen[index] ?? 0;
    if (times !== (index < count ? 1 : 0)) wrong.push(`task ${index} ran ${times} times`);
  }
  if (wrong.length === 0) return;
  throw new Error(`${wrong.length} of ${count} tasks are wrong: ${wrong.slice(0, 5).join(", ")}`);
}

/** What user code wrote of itself (tasks.ts), read on as it grows. */
import { closeSync, openSync, readSync } from "node:fs";

export interface Start {
  /** "job/task" */
  readonly task: string;
  readonly attempt: number;
  readonly worker: string;
  /** Index of the journal where this attempt was ordered: from the index of an `elected` on, by that leader. */
  readonly fence: number;
  /** By the clock of all processes (clock.ts). */
  readonly at: number;
  endedAt: number | undefined;
}

const chunkBytes = 256 * 1024;

export class Notes implements Disposable {
  /** In the order written. */
  readonly starts: Start[] = [];
  readonly #running = new Map<string, Start>();
  readonly #file: number;
  readonly #chunk = Buffer.allocUnsafe(chunkBytes);
  #rest = "";

  constructor(path: string) {
    this.#file = openSync(path, "a+");
  }

  /** Reads what was written since the last time. */
  read(): void {
    for (;;) {
      const count = readSync(this.#file, this.#chunk, 0, chunkBytes, null);
      if (count === 0) return;
      const lines = (this.#rest + this.#chunk.toString("latin1", 0, count)).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    }
  }

  /** Attempts that have begun and not ended, at the time of the last read. */
  running(): Start[] {
    return [...this.#running.values()];
  }

  /** This worker died: nothing runs there. */
  forget(worker: string): void {
    for (const [key, start] of this.#running)
      if (start.worker === worker) this.#running.delete(key);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  #take(line: string): void {
    const [what, task = "", attempt = "", worker = "", fence = "", at = ""] = line.split(" ");
    const key = `${task} ${attempt} ${worker}`;
    if (what === "start") {
      const start: Start = {
        task,
        attempt: Number(attempt),
        worker,
        fence: Number(fence),
        at: Number(at),
        endedAt: undefined,
      };
      this.starts.push(start);
      this.#running.set(key, start);
      return;
    }
    const start = this.#running.get(key);
    if (start) start.endedAt = Number(at);
    this.#running.delete(key);
  }
}

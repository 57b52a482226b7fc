// The ends of a job's attempts, as pictures look at them: one after the other, from rows as they are read, or from columns
// that were kept since the last look. Blocks are only ever added to a job, so that a picture that is asked for
// again costs the rows that came since.
//
//   C1  What is kept is what a new read would give: `drop` when rows go or a transaction is rolled back.
//   C2  Kept columns of all jobs are bounded; of a job with more rows than `rowsMax` none are kept.

import { decodeOutcomes, storedBit } from "../../protocol/outcome-block.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import type { EndRows } from "./run-picture.ts";

/** In no order; of one task the outcome that was recorded first comes first. Times in wall clock ms. */
export interface Ends {
  each(take: TakeEnd): void;
}

/** `start` 0: it never ran. `isOutcome`: it was the end of its task. */
export type TakeEnd = (
  worker: string,
  task: number,
  attempt: number,
  start: number,
  end: number,
  code: number,
  isOutcome: boolean,
) => void;

/** Reads the rows anew each time; keeps nothing. */
export function endsOf(rows: EndRows): Ends {
  return {
    each(take) {
      for (const { wall, worker, block } of rows.blocks()) {
        const columns = decodeOutcomes(block);
        for (let i = 0; i < columns.count; i++) {
          const attempt = columns.attempts[i] ?? 0;
          // Ended by the master, before anybody ran it.
          const start = attempt === 0 ? 0 : wall - (columns.micros[i] ?? 0) / 1_000;
          const code = (columns.codes[i] ?? 0) & ~storedBit;
          take(worker, columns.tasks[i] ?? 0, attempt, start, wall, code, true);
        }
      }
      for (const { task, attempt, worker, code, started, ended, micros } of rows.attempts()) {
        // Of one that was lost only its assignment is known.
        const start = micros > 0 ? ended - micros / 1_000 : started;
        take(worker, task, attempt, start, ended, code & ~storedBit, false);
      }
    },
  };
}

/** Where the next look goes on. */
export interface EndsPlace {
  block: Position;
  attempt: number;
}

const rowsFirst = 1_024;
/** About 26 bytes each. */
export const rowsMax = 1_000_000;

class RunColumns implements Ends {
  readonly place: EndsPlace = { block: { index: 0, n: 0 }, attempt: 0 };
  #count = 0;
  readonly #workers: string[] = [];
  readonly #numbers = new Map<string, number>();
  #worker = new Uint32Array(rowsFirst);
  #task = new Uint32Array(rowsFirst);
  #attempt = new Uint32Array(rowsFirst);
  #start = new Float64Array(rowsFirst);
  #end = new Float64Array(rowsFirst);
  /** Its code, and above that byte whether it is an outcome. */
  #code = new Uint16Array(rowsFirst);

  get count(): number {
    return this.#count;
  }

  get capacity(): number {
    return this.#task.length;
  }

  readonly add: TakeEnd = (worker, task, attempt, start, end, code, isOutcome) => {
    if (this.#count === this.#task.length) this.#grow();
    const at = this.#count++;
    this.#worker[at] = this.#numberOf(worker);
    this.#task[at] = task;
    this.#attempt[at] = attempt;
    this.#start[at] = start;
    this.#end[at] = end;
    this.#code[at] = code | (isOutcome ? 0x100 : 0);
  };

  each(take: TakeEnd): void {
    for (let at = 0; at < this.#count; at++) {
      const code = this.#code[at] ?? 0;
      take(
        this.#workers[this.#worker[at] ?? 0] ?? "",
        this.#task[at] ?? 0,
        this.#attempt[at] ?? 0,
        this.#start[at] ?? 0,
        this.#end[at] ?? 0,
        code & 0xff,
        code > 0xff,
      );
    }
  }

  #numberOf(worker: string): number {
    const known = this.#numbers.get(worker);
    if (known !== undefined) return known;
    this.#numbers.set(worker, this.#workers.length);
    return this.#workers.push(worker) - 1;
  }

  #grow(): void {
    const length = this.#count * 2;
    const copy = <T extends { set(from: T): void }>(into: T, from: T): T => {
      into.set(from);
      return into;
    };
    this.#worker = copy(new Uint32Array(length), this.#worker);
    this.#task = copy(new Uint32Array(length), this.#task);
    this.#attempt = copy(new Uint32Array(length), this.#attempt);
    this.#start = copy(new Float64Array(length), this.#start);
    this.#end = copy(new Float64Array(length), this.#end);
    this.#code = copy(new Uint16Array(length), this.#code);
  }
}

/** Rows that there is room for in the columns of all jobs. */
const keptRowsMax = 2 * rowsMax;

export interface EndsReader {
  /** From that place on; moves it behind what was read. */
  endsAfter(job: number, place: EndsPlace): Ends;
}

export class KeptEnds {
  readonly #reader: EndsReader;
  /** The one that was looked at last stands last. */
  readonly #kept = new Map<number, RunColumns>();

  constructor(reader: EndsReader) {
    this.#reader = reader;
  }

  of(job: number): Ends {
    const columns = this.#kept.get(job) ?? new RunColumns();
    this.#kept.delete(job);
    try {
      this.#reader.endsAfter(job, columns.place).each((...end) => {
        if (columns.count === rowsMax) throw tooMany;
        columns.add(...end);
      });
    } catch (error) {
      if (error !== tooMany) throw error;
      const place = { block: { index: 0, n: 0 }, attempt: 0 };
      return { each: (take) => this.#reader.endsAfter(job, { ...place }).each(take) };
    }
    this.#kept.set(job, columns);
    this.#shrink();
    return columns;
  }

  drop(job?: number): void {
    if (job === undefined) this.#kept.clear();
    else this.#kept.delete(job);
  }

  #shrink(): void {
    let rows = 0;
    for (const { capacity } of this.#kept.values()) rows += capacity;
    for (const [job, { capacity }] of this.#kept) {
      if (rows <= keptRowsMax) return;
      this.#kept.delete(job);
      rows -= capacity;
    }
  }
}

const tooMany = new Error("more rows than are kept");

// The timeline of the reference archive.

import type { Term } from "../../protocol/filter.ts";
import { isJobEvent } from "../../protocol/event.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import type { Added } from "./archive-wire.ts";
import type { ArchiveEvent, TimelinePage, TimelineQuery, TimelineRow } from "./archive.ts";
import type { TimelineSpan } from "./archive.ts";
import { TimelineMaker } from "./timeline-maker.ts";
import type { KnownJob } from "./timeline-maker.ts";
import { afterIndex, higher, isBefore } from "./timeline-order.ts";

/** Rows are made again from what was added; that they were pruned is remembered. */
export class MemoryTimelineDisk {
  floor: Position = { index: 0, n: 0 };
  readonly pruned = new Set<string>();
}

export class MemoryTimeline {
  readonly #disk: MemoryTimelineDisk;
  readonly #maker: TimelineMaker;
  readonly #failures = new Map<number, number>();
  #rows: TimelineRow[] = [];

  constructor(disk: MemoryTimelineDisk, job: (number: number) => KnownJob | undefined) {
    this.#disk = disk;
    this.#maker = new TimelineMaker({
      job,
      failedBefore: (number) => {
        const before = this.#failures.get(number) ?? 0;
        this.#failures.set(number, before + 1);
        return before;
      },
    });
  }

  begin(added: Added): void {
    this.#maker.begin(added);
  }

  event(event: ArchiveEvent): void {
    this.#maker.event(event);
  }

  end(): void {
    const kept = this.#maker.rows.filter(({ index, n }) => !this.#disk.pruned.has(`${index}.${n}`));
    this.#rows.push(...kept);
  }

  skipped(last: number): void {
    this.#disk.floor = higher(this.#disk.floor, afterIndex(last));
  }

  after(after: Position, limit: number, added: number): TimelineSpan {
    const rows = this.#rows.filter((row) => isBefore(after, row)).slice(0, limit);
    const last = rows.length < limit ? undefined : rows.at(-1);
    const through = last ? { index: last.index, n: last.n } : higher(after, afterIndex(added));
    return { rows, through, floor: this.#disk.floor };
  }

  page({ before, limit, terms }: TimelineQuery): TimelinePage {
    const fitting = this.#rows.filter((row) => terms.every((term) => fits(row, term)));
    const older = fitting.filter((row) => before === undefined || isBefore(row, before));
    const rows = older.toReversed().slice(0, limit);
    return { rows, total: fitting.length, floor: this.#disk.floor };
  }

  prune(rowsMax: number): void {
    for (const many of [true, false]) {
      const sort = this.#rows.filter(({ kind }) => isJobEvent(kind) === many);
      for (const { index, n } of sort.slice(0, Math.max(0, sort.length - rowsMax))) {
        this.#disk.pruned.add(`${index}.${n}`);
        this.#disk.floor = higher(this.#disk.floor, { index, n });
      }
    }
    this.#rows = this.#rows.filter(({ index, n }) => !this.#disk.pruned.has(`${index}.${n}`));
  }
}

const fields = ["kind", "job", "worker", "queue", "master"] as const;

function fits(row: TimelineRow, term: Term): boolean {
  return valueFits(row, term) !== term.not;
}

function valueFits(row: TimelineRow, term: Term): boolean {
  if (term.kind !== "is") return term.kind === "after" ? row.wall > term.at : row.wall < term.at;
  const field = fields.find((each) => each === term.field);
  if (!field) throw new TypeError(`no column for ${term.field}`);
  const value = row[field];
  if (field !== "job") return term.values.includes(value);
  return value !== "" && term.values.some((start) => value.startsWith(start));
}

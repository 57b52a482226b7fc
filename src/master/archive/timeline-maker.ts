// Rows of the timeline out of what is added to an archive (docs/events.md, T1 … T5). Pure but for its memory of how
// many rows there were lately, which is committed with the watermark.

import { eventKinds, isEventKind } from "../../protocol/event.ts";
import type { EventKind } from "../../protocol/event.ts";
import { limits } from "../../protocol/limits.ts";
import { decodeOutcomes, outcomeItem, storedBit } from "../../protocol/outcome-block.ts";
import type { Added } from "./archive-wire.ts";
import type { ArchiveEvent, AttemptEnded, OutcomesRecorded, TimelineRow } from "./archive.ts";
import { bitOf, scanBlock, stateBit } from "./block-scan.ts";
import { createdWords, endedWords, failedWords, leftWords, manyWords } from "./timeline-words.ts";
import type { Said } from "./timeline-words.ts";

/** What the archive knows of a job that rows name. */
export interface KnownJob {
  readonly id: string;
  readonly queue: string;
}

export interface JobsKnown {
  job(number: number): KnownJob | undefined;
  /** Counts one more failed attempt of a job: how many it had before. */
  failedBefore(number: number): number;
}

interface Window {
  readonly window: number;
  rows: number;
  left: number;
}

/** Failed attempts of a job that are shown though its task tries again. */
const retriesShown = 3;

export class TimelineMaker {
  readonly #jobs: JobsKnown;
  readonly #windows = new Map<EventKind, Window>();
  /** Kinds whose window has left rows out. */
  #full = 0;
  #rows: TimelineRow[] = [];
  #at = { index: 0, wall: 0 };

  constructor(jobs: JobsKnown) {
    this.#jobs = jobs;
  }

  /** Rows of the batch so far, in their order. */
  get rows(): readonly TimelineRow[] {
    return this.#rows;
  }

  begin({ index, wall }: Pick<Added, "index" | "wall">): void {
    this.#rows = [];
    this.#at = { index, wall };
    if (this.#full > 0) this.#turn();
  }

  /** After the event is written, so that the job it names is known. */
  event(event: ArchiveEvent): void {
    switch (event.kind) {
      case "note": {
        const { kind: _, about, ...said } = event;
        return this.#say(about, () => ({ ...said, kind: about }));
      }
      case "job":
        return this.#say("job.created", () => createdWords(event.id, event.queue, event.json));
      case "jobEnded":
        return this.#say("job.ended", () => {
          const job = this.#jobs.job(event.job);
          return job && endedWords(job.id, job.queue, event.state, event.json);
        });
      case "attempt":
        return this.#attempt(event);
      case "outcomes":
        return this.#outcomes(event);
      default:
        return undefined;
    }
  }

  #attempt(event: AttemptEnded): void {
    if (!event.charged) return;
    const { job: number } = event;
    this.#say("attempt.failed", () => {
      if (this.#jobs.failedBefore(number) >= retriesShown) return undefined;
      const job = this.#jobs.job(number);
      return job && failedWords(job.id, job.queue, { ...event, last: false });
    });
  }

  #outcomes({ job: number, worker, block }: OutcomesRecorded): void {
    const failed = stateBit("failed");
    if ((scanBlock(block).states & failed) === 0) return;
    const columns = decodeOutcomes(block);
    for (let i = 0; i < columns.count; i++) {
      if (bitOf(columns.codes[i] ?? 0) !== failed) continue;
      this.#say("attempt.failed", () => {
        const job = this.#jobs.job(number);
        const { task, attempt, code, value } = outcomeItem(columns, i);
        const plain = code & ~storedBit;
        // A payload in place of the words says nothing here.
        const error = plain === code ? value : null;
        return (
          job &&
          failedWords(job.id, job.queue, { task, attempt, code: plain, worker, error, last: true })
        );
      });
    }
  }

  /** T4. `words` are made only for what is shown; none: it is no row after all. */
  #say(kind: EventKind, words: () => Said | undefined): void {
    const window = this.#windowOf(kind);
    if (window.rows >= limits.timelineRowsMax) {
      if (window.left++ > 0) return;
      this.#full++;
      this.#push(manyWords(kind, limits.timelineRowsMax, limits.timelineWindowMs / 1_000));
      return;
    }
    const said = words();
    if (!said) return;
    this.#push(said);
    window.rows++;
  }

  #push(said: Said): void {
    const { index, wall } = this.#at;
    this.#rows.push({ ...said, index, n: this.#rows.length + 1, wall });
  }

  #windowOf(kind: EventKind): Window {
    const window = Math.floor(this.#at.wall / limits.timelineWindowMs);
    const known = this.#windows.get(kind);
    if (known?.window === window) return known;
    const made = { window, rows: 0, left: 0 };
    this.#windows.set(kind, made);
    return made;
  }

  /** What windows that are over have left out is told by the first batch after them. */
  #turn(): void {
    const now = Math.floor(this.#at.wall / limits.timelineWindowMs);
    for (const kind of eventKinds) {
      const window = this.#windows.get(kind);
      if (!window || window.left === 0 || window.window === now) continue;
      this.#push(leftWords(kind, window.left));
      this.#windows.delete(kind);
      this.#full--;
    }
  }

  // ── its memory ───────────────────────────────────────────────────────────────────────────

  memory(): string {
    return JSON.stringify([...this.#windows].map(([kind, w]) => [kind, w.window, w.rows, w.left]));
  }

  recall(memory: string): void {
    this.#windows.clear();
    this.#full = 0;
    // Written above, by this version or one near it.
    for (const [kind, window, rows, left] of JSON.parse(memory) as [
      string,
      number,
      number,
      number,
    ][]) {
      if (!isEventKind(kind)) continue;
      this.#windows.set(kind, { window, rows, left });
      if (left > 0) this.#full++;
    }
  }
}

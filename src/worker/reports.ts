// Ends of attempts on their way to a leader.
//
// Owns: what ended and is not recorded. Does not own: who leads (agent.ts), the disk (spool.ts).
//   R1. Reports are numbered 1, 2, 3 … without a gap; a report's content never changes once it has
//       a number.
//   R2. A report is kept until a leader says that it is recorded (W6), and goes to disk when none
//       has for a second. What an earlier incarnation left in the spool comes first, under new
//       numbers: an attempt number is never used twice, so an old end is as true as a new one (K5).

import type { Clock, CancelTimer } from "../lib/clock.ts";
import type { JobNumber } from "../protocol/ids.ts";
import { limits } from "../protocol/limits.ts";
import type { AttemptRange, OutcomeBlock, WorkerReport } from "../protocol/messages.ts";
import { encodeOutcomes, type OutcomeItem, storedHashes } from "../protocol/outcome-block.ts";
import { RangeList } from "./ranges.ts";

/** Where reports lie that no leader has taken (W6). Calls return at once; the disk follows. */
export interface Spool {
  /** Set when the disk does not take them: then nothing new is started while masters are away. */
  readonly problem: string | undefined;
  append(reports: readonly WorkerReport[]): void;
  /** Reports up to this number are recorded. */
  recorded(n: number): void;
}

/** A block is one journal entry, and a report fits into one batch beside others. */
const blockBytesMax = limits.partBytesMax;
const reportBytesMax = limits.batchBytesMax / 2;
const spoolAfterMs = 1_000;

/** A report that is not recorded. */
export type Unrecorded = Pick<Kept, "report" | "hashes" | "inherited">;

/** An attempt that is recorded, and so may be forgotten. */
export type Forget = (job: JobNumber, attempt: number, task: number) => void;

interface Kept {
  readonly report: WorkerReport;
  readonly bytes: number;
  readonly madeAt: number;
  /** What `forget` is told; empty for reports of an earlier incarnation. */
  readonly ends: readonly BlockEnds[];
  /** Stored payloads that it names, each as often as it does. */
  readonly hashes: readonly string[];
  readonly inherited: boolean;
  spooled: boolean;
}

interface BlockEnds {
  readonly job: JobNumber;
  readonly tasks: readonly number[];
  readonly attempts: readonly number[];
}

interface Draft {
  readonly block: OutcomeBlock;
  readonly ends: BlockEnds;
}

export class Reports {
  readonly #clock: Clock;
  readonly #spool: Spool;
  readonly #pending = new Map<JobNumber, OutcomeItem[]>();
  readonly #returned = new RangeList();
  #kept: Kept[] = [];
  #bytes = 0;
  #n = 0;
  #timer: CancelTimer | undefined;

  constructor(clock: Clock, spool: Spool, predecessor: readonly WorkerReport[]) {
    this.#clock = clock;
    this.#spool = spool;
    for (const { blocks, returned } of predecessor) this.#keep(blocks, returned, [], true);
  }

  ended(job: JobNumber, items: readonly OutcomeItem[]): void {
    const pending = this.#pending.get(job);
    if (!pending) this.#pending.set(job, [...items]);
    else for (const item of items) pending.push(item);
  }

  /** Attempts that never started and never will here. */
  get returned(): RangeList {
    return this.#returned;
  }

  get pending(): boolean {
    return this.#pending.size > 0 || !this.#returned.empty;
  }

  /** Bytes of all reports that are not recorded. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * At 80 % of the spool, or when the disk fails while reports wait, nothing new is started (W6).
   */
  get full(): boolean {
    if (this.#bytes > 0.8 * limits.spoolBytesMax) return true;
    return this.#spool.problem !== undefined && this.#kept.some((kept) => kept.spooled);
  }

  /** Reports up to this number are recorded. */
  get recordedMax(): number {
    return (this.#kept[0]?.report.n ?? this.#n + 1) - 1;
  }

  get unrecorded(): number {
    return this.#kept.length;
  }

  /** Whether stored payloads are named by what is not recorded. */
  get namesPayloads(): boolean {
    return this.#kept.some(({ hashes }) => hashes.length > 0);
  }

  /** Makes numbered reports of what has ended since the last call. */
  flush(): void {
    if (!this.pending) return;
    let drafts: Draft[] = [];
    let bytes = 0;
    for (const [job, items] of this.#pending) {
      for (const draft of blocksOf(job, items)) {
        const size = blockBytes(draft.block);
        if (drafts.length > 0 && bytes + size > reportBytesMax) {
          this.#keepDrafts(drafts, []);
          drafts = [];
          bytes = 0;
        }
        drafts.push(draft);
        bytes += size;
      }
    }
    this.#pending.clear();
    this.#keepDrafts(drafts, this.#returned.take());
    this.#watch();
  }

  /** All reports that are not recorded, in order. */
  all(): WorkerReport[] {
    return this.#kept.map((kept) => kept.report);
  }

  /** Those behind number `n`, in order, with the stored payloads that they name. */
  after(n: number): readonly Unrecorded[] {
    return this.#kept.slice(Math.max(0, n - this.recordedMax));
  }

  /** The attempts of a report, as a registration lists those that follow behind it. */
  endsOf(n: number, into: RangeList): void {
    const kept = this.#kept[n - (this.#kept[0]?.report.n ?? 0)];
    for (const { job, tasks, attempts } of kept?.ends ?? []) {
      tasks.forEach((task, i) => into.add(job, attempts[i] ?? 0, task));
    }
  }

  /**
   * A leader has recorded reports up to `n`, cumulatively; late and repeated words change nothing.
   * Returns the stored payloads that those named.
   */
  recorded(n: number, forget: Forget): string[] {
    const hashes: string[] = [];
    let count = 0;
    for (const kept of this.#kept) {
      if (kept.report.n > n) break;
      count++;
      this.#bytes -= kept.bytes;
      hashes.push(...kept.hashes);
      for (const { job, tasks, attempts } of kept.ends) {
        for (let i = 0; i < tasks.length; i++) forget(job, attempts[i] ?? 0, tasks[i] ?? 0);
      }
    }
    if (count === 0) return hashes;
    this.#kept = this.#kept.slice(count);
    this.#spool.recorded(n);
    return hashes;
  }

  /** Writes down everything that is not on disk yet: the worker is about to end. */
  spoolAll(): void {
    this.#spoolOlderThan(0);
  }

  #keepDrafts(drafts: readonly Draft[], returned: readonly AttemptRange[]): void {
    if (drafts.length === 0 && returned.length === 0) return;
    const ends = drafts.map((draft) => draft.ends);
    for (const { job, first, count, attempt } of returned) {
      const tasks = Array.from({ length: count }, (_, i) => first + i);
      ends.push({ job, tasks, attempts: tasks.map(() => attempt) });
    }
    this.#keep(
      drafts.map((draft) => draft.block),
      returned,
      ends,
    );
  }

  #keep(
    blocks: readonly OutcomeBlock[],
    returned: readonly AttemptRange[],
    ends: readonly BlockEnds[],
    inherited = false,
  ): void {
    const report: WorkerReport = { kind: "report", n: ++this.#n, blocks, returned };
    const bytes = reportBytes(report);
    this.#bytes += bytes;
    const hashes = hashesIn(report);
    const madeAt = this.#clock.now();
    this.#kept.push({ report, bytes, madeAt, ends, hashes, inherited, spooled: inherited });
  }

  #watch(): void {
    if (this.#timer) return;
    this.#timer = this.#clock.after(spoolAfterMs, () => {
      this.#timer = undefined;
      this.#spoolOlderThan(spoolAfterMs);
      if (this.#kept.some((kept) => !kept.spooled)) this.#watch();
    });
  }

  #spoolOlderThan(ageMs: number): void {
    const before = this.#clock.now() - ageMs;
    const old = this.#kept.filter((kept) => !kept.spooled && kept.madeAt <= before);
    if (old.length === 0) return;
    for (const kept of old) kept.spooled = true;
    this.#spool.append(old.map((kept) => kept.report));
  }
}

/** About what a report takes in a frame and on disk. */
export function reportBytes(report: WorkerReport): number {
  let bytes = 64 + report.returned.length * 24;
  for (const block of report.blocks) bytes += blockBytes(block);
  return bytes;
}

function blockBytes({ bytes, payloads = [] }: OutcomeBlock): number {
  return 24 + bytes.length + 66 * payloads.length;
}

/** Stored payloads that a report names, each as often as it does. */
export function hashesIn({ blocks }: WorkerReport): string[] {
  return blocks.flatMap(({ bytes, payloads = [] }) => [...storedHashes(bytes), ...payloads]);
}

function* blocksOf(job: JobNumber, items: readonly OutcomeItem[]): Generator<Draft> {
  let from = 0;
  let bytes = 0;
  for (let i = 0; i <= items.length; i++) {
    const size = 24 + (items[i]?.value.length ?? 0);
    const full = i - from >= limits.blockTasksMax || bytes + size > blockBytesMax;
    if (i > from && (full || i === items.length)) {
      const part = items.slice(from, i);
      const payloads = part.flatMap((item) => item.payloads ?? []);
      yield {
        block: { job, bytes: encodeOutcomes(part), ...(payloads.length > 0 && { payloads }) },
        ends: {
          job,
          tasks: part.map((item) => item.task),
          attempts: part.map((item) => item.attempt),
        },
      };
      from = i;
      bytes = 0;
    }
    bytes += size;
  }
}

/**
 * What happened in a round, as plain data: what clients asked and were told, what user code did on the workers,
 * what was harmed, and the journal. The checker reads nothing else, so that a history can be kept, replayed and
 * falsified. All times are milliseconds of CLOCK_MONOTONIC, which all processes of a machine share.
 */
import { readFileSync, writeFileSync } from "node:fs";

/** What a task is told, beside the file it writes to. The outcome follows from job, number and this. */
export interface Input {
  /** Unlike any other of the round. */
  readonly n: number;
  readonly ms: number;
  /** Attempts up to this number throw; `always` of them: the task fails for good. */
  readonly failing: number;
  /** Of contents that come with it: what whoever made them counted. */
  readonly sum?: string;
  /** Of all of it, where it is too large to stand in the journal: by this the journal names it. */
  readonly stored?: string;
  /** Its result has a body of so many characters, and is stored too. */
  readonly gives?: number;
}

export const always = 99;

export interface History {
  readonly seed: number;
  readonly nemesis: string;
  /** True when the round was given the time to end all that it began. */
  readonly settled: boolean;
  readonly operations: readonly Operation[];
  readonly runs: readonly RunLine[];
  readonly harms: readonly Harm[];
  readonly batches: readonly BatchRecord[];
}

// ── clients ──────────────────────────────────────────────────────────────────────────────

export type Operation = Submitted | Cancel | Seen | Read;

interface Asked {
  /** One client asks one thing after the other. */
  readonly client: string;
  readonly at: number;
  /** Null: the round was over before an answer came. */
  readonly endedAt: number | null;
}

export interface Submitted extends Asked {
  readonly kind: "submit";
  /** A key of the client's own; null where the SDK made one. */
  readonly key: string | null;
  readonly inputs: readonly Input[];
  /**
   * `ok`: durable, said the cluster. `failed`: it said that this was not done and never will be. `unknown`:
   * neither, whatever the reason.
   */
  readonly answer:
    | { readonly kind: "ok"; readonly job: string }
    | { readonly kind: "failed" | "unknown"; readonly why: string };
}

export interface Cancel extends Asked {
  readonly kind: "cancel";
  readonly job: string;
  /** Null: all of the job. */
  readonly task: number | null;
  /** `ok`: durable, and so many of those it was about had ended then; of one task: as what. */
  readonly answer:
    | {
        readonly kind: "ok";
        readonly tasks: number;
        readonly ended: number;
        readonly state?: string;
      }
    | { readonly kind: "failed" | "unknown"; readonly why: string };
}

/** Outcomes as a client saw them, in the order it saw them. */
export interface Seen extends Asked {
  readonly kind: "seen";
  readonly how: "answer" | "results" | "stream";
  readonly job: string;
  readonly outcomes: readonly SeenOutcome[];
  /** The client was told that this is all. */
  readonly complete: boolean;
  /** Why the client saw no more, when it was not told that this is all. */
  readonly why?: string;
}

export interface SeenOutcome {
  readonly task: number;
  readonly state: string;
  /** The result, or the error's message; of a stored result the sum of the bytes that came. */
  readonly value: string;
  /** Why a stored result could not be had. */
  readonly missing?: string;
  /** Of streams: the position, index.n. */
  readonly at?: readonly [index: number, n: number];
}

/** A job's counts as a client read them. */
export interface Read extends Asked {
  readonly kind: "read";
  readonly job: string;
  readonly tasks: number;
  readonly ended: number;
  /** Where the answering master stood, if it said so. */
  readonly index?: number;
  readonly term?: number;
}

// ── workers ──────────────────────────────────────────────────────────────────────────────

/** A line that user code wrote, with one write, at the start or the end of an attempt. */
export interface RunLine {
  readonly what: "start" | "end";
  readonly job: string;
  readonly task: number;
  readonly attempt: number;
  readonly fence: number;
  readonly worker: string;
  /** Of the worker's process: its incarnation, seen from outside. */
  readonly pid: number;
  readonly at: number;
  /** Of contents: as they came at the start, and as they were returned at the end. */
  readonly sum?: string;
}

// ── nemeses ──────────────────────────────────────────────────────────────────────────────

export interface Harm {
  readonly kind: "killed" | "ended" | "stopped" | "continued" | "cut" | "healed" | "moved" | "told";
  readonly who: "master" | "worker" | "engine" | "client";
  /** "w2", "m1", "etcd-1", "m1|etcd" */
  readonly name: string;
  readonly pid: number;
  readonly at: number;
  /** Of a cut: there/back, as links.ts names them. */
  readonly flows?: string;
  /** Of a killed or ended process: those of its own that lived on for longer than it takes to kill them. */
  readonly survivors?: readonly string[];
  /** Of one that was told to end: when it had. */
  readonly goneAt?: number;
  /** Of one that was told to end: its exit code, or the signal that ended it. */
  readonly exit?: number | string | null;
  /** Of a leader that said that it gives up this term, for whom if it was told. */
  readonly term?: number;
  readonly to?: string | null;
}

// ── the journal ──────────────────────────────────────────────────────────────────────────

export interface BatchRecord {
  readonly journalId: string;
  readonly index: number;
  readonly term: number;
  readonly hash: string;
  readonly previousHash: string;
  readonly time: number;
  /** When it was read here: not long after it was appended. */
  readonly seenAt?: number;
  readonly facts: readonly Fact[];
}

/** An entry, reduced to what is checked. `n`: its place in its batch. */
export type Fact = { readonly n: number } & (
  | { readonly kind: "elected"; readonly term: number; readonly id: string; readonly life: string }
  | { readonly kind: "resigned"; readonly to: string | null }
  | { readonly kind: "job"; readonly job: number; readonly id: string; readonly key: string | null }
  | { readonly kind: "part"; readonly job: number; readonly inputs: readonly Input[] }
  | { readonly kind: "closed"; readonly job: number }
  | { readonly kind: "stopping"; readonly job: number }
  | ({ readonly kind: "assigned"; readonly attempt: number; readonly worker: number } & Range)
  | ({ readonly kind: "unassigned"; readonly worker: number } & Range)
  | ({ readonly kind: "swept"; readonly reason: string } & Range)
  | {
      readonly kind: "released";
      readonly job: number;
      readonly worker: number;
      readonly tasks: readonly number[];
    }
  | {
      readonly kind: "outcome";
      readonly job: number;
      readonly worker: number;
      readonly task: number;
      readonly attempt: number;
      readonly reason: string;
      readonly value: string;
    }
  | {
      readonly kind: "attemptFailed";
      readonly job: number;
      readonly worker: number;
      readonly task: number;
      readonly attempt: number;
      readonly reason: string;
    }
  | {
      readonly kind: "registered";
      readonly worker: number;
      readonly id: string;
      readonly life: string;
      readonly pid: number;
    }
  | { readonly kind: "lost"; readonly worker: number; readonly reason: string }
);

interface Range {
  readonly job: number;
  readonly first: number;
  readonly count: number;
}

// ── what all of it rests on ──────────────────────────────────────────────────────────────

/** CLOCK_MONOTONIC, the same in all processes of this machine, in milliseconds. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** How a stored result stands in a history. */
export function storedValue(sum: string): string {
  return `stored ${sum}`;
}

/** What a task comes to: a result, or the message of the error that it ends with. */
export function valueOf(job: string, task: number, { n, ms }: Pick<Input, "n" | "ms">): string {
  return `${job}/${task}:${n}:${(Math.imul(n ^ task, 0x9e3779b1) ^ ms) >>> 0}`;
}

/** Lines of JSON: one head, then one line for each thing, so that people can grep in it. */
export function saveHistory(file: string, history: History): void {
  const { seed, nemesis, settled, ...lists } = history;
  const lines = [JSON.stringify({ seed, nemesis, settled })];
  for (const [list, items] of Object.entries(lists)) {
    for (const item of items) lines.push(JSON.stringify([list, item]));
  }
  writeFileSync(file, `${lines.join("\n")}\n`);
}

export function loadHistory(file: string): History {
  const [head = "", ...lines] = readFileSync(file, "utf8").trimEnd().split("\n");
  const lists: Record<string, unknown[]> = { operations: [], runs: [], harms: [], batches: [] };
  for (const line of lines) {
    const [list, item] = JSON.parse(line) as [string, unknown];
    lists[list]?.push(item);
  }
  // Written by saveHistory.
  return { ...(JSON.parse(head) as History), ...lists };
}

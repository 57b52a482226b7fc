// The pure machine alone, for tests: time moves when the test says so, and every turn is decided, applied and
// placed as the master's loop does it.

import { encodeOutcomes } from "../protocol/outcome-block.ts";
import type { JobSpec, QueueSettings, WorkerInfo } from "../protocol/model.ts";
import type { StartedAttempt } from "./commands/worker.ts";
import type { Effect } from "./effect.ts";
import type { Entry, RequestKey } from "./entry.ts";
import { explain } from "./explain/explain.ts";
import { decide, openTurn } from "./machine.ts";
import type { AnswerOf, Request } from "./machine.ts";
import { place } from "./placement/place.ts";
import type { Recall } from "./placement/recall.ts";
import { present } from "./invariants.ts";
import { createState } from "./state.ts";
import type { Job, State, Worker } from "./state.ts";
import { expire } from "./timeouts.ts";

export interface Ended {
  readonly task: number;
  readonly attempt?: number;
  /** An end reason's code; 0 is success. */
  readonly code?: number;
  readonly micros?: number;
}

export interface Submitted {
  readonly spec?: Partial<JobSpec>;
  readonly tasks?: number;
  readonly key?: RequestKey | null;
  readonly open?: boolean;
}

export class Cluster {
  state: State;
  time = 1_000;
  /** Of the last turn. */
  entries: readonly Entry[] = [];
  effects: readonly Effect[] = [];
  recalls: readonly Recall[] = [];
  /** Workers that placement passes over. */
  resting: ReadonlySet<number> = new Set();
  #ids = 0;

  constructor(state: State = createState("test")) {
    this.state = state;
    state.term = 1;
  }

  ask<R extends Request>(request: R): AnswerOf<R> {
    const turn = openTurn(this.state, this.state.term, this.time, 1_700_000_000_000 + this.time);
    const answer = decide(turn, request);
    let more = expire(turn);
    for (let i = 0; more && i < 1_000; i++) more = expire(turn);
    const { resting } = this;
    const options = { tasksMax: 20_000, recalling: new Set<number>(), resting };
    let placed = place(turn, options);
    for (let i = 0; placed.more && i < 1_000; i++) placed = place(turn, options);
    this.recalls = placed.recalls;
    this.entries = turn.entries;
    this.effects = turn.effects;
    return answer;
  }

  /** A turn in which nobody asks anything. */
  wait(ms: number): void {
    this.time += ms;
    this.ask({ kind: "freePayloads", hashes: [] });
  }

  worker(
    id: string,
    amounts: WorkerInfo["amounts"] = { cpu: 1_000 },
    more: Partial<WorkerInfo> = {},
    leaving?: { readonly deadlineMs: number },
  ) {
    const info: WorkerInfo = {
      id,
      incarnation: `${id}-1`,
      version: "0.0.0",
      protocol: 1,
      hostname: id,
      pid: 1,
      node: "v20",
      platform: "linux",
      address: `${id}:1`,
      amounts,
      labels: {},
      pool: "default",
      namespace: "default",
      by: "test",
      ...more,
    };
    const wish = leaving ? { leaving } : {};
    const said = { otherAnswers: false, started: [], ends: [], ...wish };
    const answer = this.ask({ kind: "register", info, ...said });
    if (!answer.ok) throw new Error(answer.message);
    return answer.worker;
  }

  trySubmit({ spec, tasks = 1, key = null, open = false }: Submitted = {}) {
    return this.ask({
      kind: "submit",
      id: (++this.#ids).toString(16).padStart(16, "0"),
      spec: { ...plainSpec, ...spec },
      open,
      key,
      parts: open ? [] : [lines(tasks)],
      archived: new Map(),
      strictQueues: false,
    });
  }

  submit(what: Submitted = {}): Job {
    const answer = this.trySubmit(what);
    if (!answer.ok) throw new Error(answer.message);
    return this.job(answer.job);
  }

  setQueue(settings: Partial<QueueSettings>, paused: boolean | null = null, name = "q"): void {
    const more = { namespace: "default", by: "test", pausedReason: "" };
    this.ask({ kind: "setQueue", name, settings, paused, ...more });
  }

  /** Reports ends of a job's attempts, by default successes of the current ones. */
  report(worker: number, job: Job, ends: readonly Ended[]): void {
    const items = ends.map(({ task, attempt, code = 0, micros = 1_000_000 }) => ({
      task,
      attempt: attempt ?? job.tasks.run?.attempt[task] ?? 1,
      code,
      micros,
      logBytes: 0,
      value: new Uint8Array([49]),
    }));
    const { info, reports } = this.workerOf(worker);
    this.ask({
      kind: "report",
      worker,
      incarnation: info.incarnation,
      n: reports + 1,
      blocks: [{ job: job.number, bytes: encodeOutcomes(items) }],
      returned: [],
    });
  }

  lose(worker: number, started: readonly StartedAttempt[] = []): void {
    const { incarnation } = this.workerOf(worker).info;
    const how = { reason: "gone", gone: false, silent: false, started };
    this.ask({ kind: "loseWorker", worker, incarnation, ...how });
  }

  job(number: number): Job {
    return present(this.state.jobs.get(number), `job ${number}`);
  }

  workerOf(number: number): Worker {
    return present(this.state.workers.get(number), `worker ${number}`);
  }

  why(job: Job, task = 0): string {
    return explain(this.state, job, task, this.time).verdict;
  }

  /** The states of a job's tasks, a letter each: w r b a S F C; an upper-case X is ended but held. */
  letters(job: Job): string {
    return [...job.tasks.state.subarray(0, job.tasks.count)]
      .map((byte) => (byte & 0x80 ? "X" : ("wrbaSFC"[byte] ?? "?")))
      .join("");
  }
}

export function lines(count: number) {
  const text = Array.from({ length: count }, (_, i) => `${i}\n`).join("");
  return { bytes: new TextEncoder().encode(text), count, sum: count, payloads: [] };
}

export const plainSpec: JobSpec = {
  task: "noop",
  code: { kind: "function", bundle: "a".repeat(64) },
  queue: "q",
  priority: 0,
  needs: { amounts: { cpu: 1_000 }, required: {}, preferred: {} },
  timeouts: { queuedMs: 0, runMs: 0, silenceMs: 0 },
  retry: { attempts: 1, backoffMs: 1_000, backoffMaxMs: 60_000, finalErrors: [] },
  onFailure: "continue",
  concurrency: null,
  fenced: false,
  delayMs: 0,
  labels: {},
  after: [],
  encoding: "json",
  ifClientGone: "close",
  namespace: "default",
  by: "test",
  parent: null,
  retryOf: null,
  group: null,
};

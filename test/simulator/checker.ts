// What must hold, checked as it happens (names as in high-availability.md §4.3 and design.md §2). The journal is
// the order of everything: each batch that it stores is folded into a shadow of the state, entry by entry, and
// every entry, answer, order and start is held against what came before it.
//
// Here: I1 I2 I4 I5 I6 I7 I8 I9 I10 I11 I12 I14 I15 I16 I17 I22 I23, P1 P2 P3 P6. What replicas must have in common
// is in replicas.ts, what workers obey in obedience.ts.

import { apply } from "../../src/core/apply.ts";
import { openBatch } from "../../src/core/turn.ts";
import { isEnded, stateOf } from "../../src/core/columns.ts";
import type { Effect } from "../../src/core/effect.ts";
import type { Assigned, AttemptFailed, Entry, RequestKey } from "../../src/core/entry.ts";
import { explain } from "../../src/core/explain/explain.ts";
import { createState } from "../../src/core/state.ts";
import type { Job, State } from "../../src/core/state.ts";
import type { StoredBatch } from "../../src/journal/journal.ts";
import { decodeEntries } from "../../src/master/codec.ts";
import type { JobDescriptor } from "../../src/protocol/messages.ts";
import { endReason, endReasons, taskState } from "../../src/protocol/model.ts";
import { decodeOutcomes, outcomeItem, storedBit } from "../../src/protocol/outcome-block.ts";
import type { SlotAttempt } from "../../src/worker/executor.ts";
import { assertState, digestOf } from "./check-state.ts";
import type { SimInput } from "./executor.ts";
import type { World } from "./world.ts";

/** More attempts of one task than this are no bad luck: somebody and somebody else disagree. */
const attemptsMax = 60;

interface Dispatched {
  readonly worker: string;
  readonly incarnation: string;
}

/** What is known of a job for good, its retirement included. */
interface JobMemory {
  readonly id: string;
  ended: string;
  readonly outcomes: Map<number, number>;
}

export class Checker {
  readonly shadow: State;
  readonly jobs = new Map<number, JobMemory>();
  readonly numbers = new Map<string, number>();
  readonly keys = new Map<string, number>();
  readonly refusedKeys = new Set<string>();
  explained = 0;
  /** The highest number of a job that was acknowledged. */
  ackedMax = 0;
  /** The last batch that says more than that its leader lives. */
  newsIndex = 0;
  /** Of the last election. */
  #term = 0;
  readonly #world: World;
  readonly #dispatched = new Map<string, Dispatched>();
  readonly #lastAttempt = new Map<string, { attempt: number; fence: number }>();
  readonly #sent = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  readonly #begun = new Map<string, string>();
  readonly #codes = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    this.shadow = createState(world.store.journalId);
  }

  // ── the journal ────────────────────────────────────────────────────────────────────────

  committed(batch: StoredBatch, by: string): void {
    const { shadow } = this;
    const effects: Effect[] = [];
    const entries = decodeEntries(batch.bytes, batch.format);
    this.#check(batch.term >= shadow.term, "I2: a batch of a lower term was stored");
    const most = this.#world.timeline.now * 1.02 + 1_000;
    this.#check(batch.time <= most, `T1: cluster time is ${batch.time} after ${most} ms`);
    for (const entry of entries) {
      if (entry.kind === "elected" || entry.kind === "digest" || entry.kind === "resigned") {
        const own = digestOf(shadow);
        const same = entry.digest === own || this.#world.corruption?.isBy(by) === true;
        this.#check(same, `I4: batch ${batch.index} says ${entry.digest}, is ${own}`);
      }
      if (shadow.index !== batch.index) openBatch(shadow, batch);
      this.#before(entry);
      apply(shadow, entry, effects);
      this.#after(entry, batch);
      for (const effect of effects.splice(0)) this.#effect(effect);
    }
    if (entries.some(({ kind }) => kind !== "renewed")) this.newsIndex = batch.index;
    this.#world.replicas.committed(shadow, batch);
    this.#world.traceBatch(batch.index, entries);
    this.sound(shadow, `the state at ${batch.index}`);
    this.#noReportIsForgotten();
    if (batch.index % 4 === 0) this.#explainAll();
  }

  #before(entry: Entry): void {
    if (entry.kind === "assigned") this.#beforeAssigned(entry);
    else if (entry.kind === "elected") {
      // openBatch has taken the batch's term already.
      this.#check(entry.term > this.#term, "I1: terms rise with every election");
      this.#term = entry.term;
    } else if (entry.kind === "attemptFailed") this.#beforeFailed(entry);
  }

  #beforeAssigned(entry: Assigned): void {
    const { shadow } = this;
    const job = shadow.jobs.get(entry.job);
    const worker = shadow.workers.get(entry.worker);
    if (!job || !worker)
      return this.#world.fail(`I7: ${JSON.stringify(entry)} is of nothing known`);
    const queue = shadow.queues.get(job.spec.queue);
    const where = `job ${job.number}`;
    this.#check(job.stopping === null && job.ended === "", `I11: ${where} is stopped and assigned`);
    this.#check(queue?.paused === false, `I22: ${where} of a paused queue is assigned`);
    this.#check(worker.state === "active", `${where} is assigned to a ${worker.state} worker`);
    this.#check(worker.term === shadow.term, `${where} is assigned to a worker of an old term`);
    for (const [name, value] of Object.entries(job.spec.needs.required)) {
      this.#check(worker.info.labels[name] === value, `${where} is assigned in spite of ${name}`);
    }
    const early = shadow.time < job.createdTime + job.spec.delayMs;
    this.#check(!early, `${where} is assigned before its delay is over`);
    for (let task = entry.first; task < entry.first + entry.count; task++) {
      this.#dispatch(job, task, entry.attempt, worker.info);
    }
  }

  #dispatch(
    job: Job,
    task: number,
    attempt: number,
    worker: { readonly id: string; readonly incarnation: string },
  ): void {
    const key = `${job.number}/${task}`;
    const last = this.#lastAttempt.get(key);
    const fence = this.shadow.index;
    const rises = attempt > (last?.attempt ?? 0) && fence > (last?.fence ?? 0);
    this.#check(rises, `I9: attempt ${attempt} of ${key} does not rise`);
    this.#lastAttempt.set(key, { attempt, fence });
    const { id, incarnation } = worker;
    // A worker that was told to leave gives back whatever comes, until its own drain has found the leader.
    const leaves = this.#world.workers.some(({ life }) => {
      return life?.incarnation === incarnation && life.leaves;
    });
    if (!leaves) this.#sent.set(key, (this.#sent.get(key) ?? 0) + 1);
    const sent = this.#sent.get(key) ?? 0;
    this.#check(sent <= attemptsMax, `${key} is sent back and forth: attempt ${attempt}`);
    this.#dispatched.set(`${key}#${attempt}`, { worker: id, incarnation });
    const failures = this.#failures.get(key) ?? 0;
    this.#check(failures < job.spec.retry.attempts, `I12: ${key} has failed ${failures} times`);
    for (const { job: id, mode } of job.spec.after) this.#dependency(key, id, mode, task);
  }

  #dependency(key: string, id: string, mode: "all" | "each", task: number): void {
    const upstream = this.jobs.get(this.numbers.get(id) ?? 0);
    const whole = upstream?.ended === "succeeded";
    const own = mode === "each" && upstream?.outcomes.get(task) === 0;
    this.#check(whole || own, `I10: ${key} is assigned before ${id} (${mode}) is done`);
  }

  #beforeFailed(entry: AttemptFailed): void {
    if (!entry.charged) return;
    const key = `${entry.job}/${entry.task}`;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const retry = this.shadow.jobs.get(entry.job)?.spec.retry;
    this.#check(failures < (retry?.attempts ?? 0), `I12: ${key} tries again after ${failures}`);
    const wait = entry.until - this.shadow.time;
    const most = retry?.backoffMaxMs ?? 0;
    this.#check(wait >= 0 && wait <= most, `${key} backs off for ${wait} of at most ${most} ms`);
  }

  #after(entry: Entry, batch: StoredBatch): void {
    const { shadow } = this;
    if (entry.kind === "jobCreated") {
      this.#check(!this.numbers.has(entry.id), `I5: the id ${entry.id} is used twice`);
      this.numbers.set(entry.id, entry.job);
      this.jobs.set(entry.job, { id: entry.id, ended: "", outcomes: new Map() });
      if (entry.key !== null) {
        const key = keyText(entry.key);
        this.#check(!this.keys.has(key), `I5: key ${key} has made two jobs`);
        this.#check(!this.refusedKeys.has(key), `I17: ${key} was refused and appears`);
        this.keys.set(key, entry.job);
      }
    } else if (entry.kind === "assigned") {
      const job = shadow.jobs.get(entry.job);
      const queue = shadow.queues.get(job?.spec.queue ?? "");
      const most = queue?.settings.runningMax ?? 0;
      this.#check(most === 0 || (queue?.assigned ?? 0) <= most, "I22: a queue runs too many");
      const use = shadow.concurrency.get(job?.spec.concurrency?.key ?? "");
      this.#check(!use || use.active <= use.limit, "I22: a key runs too many");
    } else if (entry.kind === "workerLost") {
      this.#world.timeline.trace(`worker ${entry.worker} is lost: ${entry.reason}`);
    } else if (entry.kind === "elected") {
      this.#world.replicas.elected(batch.term, `${entry.id} ${entry.incarnation}`);
    } else if (entry.kind === "resigned") this.#world.replicas.resigned(batch.term, batch.index);
  }

  #effect(effect: Effect): void {
    if (effect.kind === "jobEnded") {
      const job = this.shadow.jobs.get(effect.job);
      const memory = this.jobs.get(effect.job);
      if (!memory) return this.#world.fail(`job ${effect.job} ends and never began`);
      this.#check(memory.ended === "", `job ${effect.job} ends twice`);
      memory.ended = job?.ended ?? "gone";
    } else if (effect.kind === "attempt") this.#mayNotBeLost(effect);
    else if (effect.kind === "outcomes") {
      const columns = decodeOutcomes(effect.block);
      for (let i = 0; i < columns.count; i++) {
        const { task, attempt, code } = outcomeItem(columns, i);
        this.#outcome(effect.job, { task, attempt, code: code & ~storedBit }, effect.worker);
      }
    }
  }

  #outcome(
    number: number,
    item: { readonly task: number; readonly attempt: number; readonly code: number },
    worker: number,
  ): void {
    const { task, attempt, code } = item;
    const key = `${number}/${task}`;
    const outcomes = this.jobs.get(number)?.outcomes;
    this.#check(outcomes !== undefined && !outcomes.has(task), `I6: ${key} has two outcomes`);
    outcomes?.set(task, code);
    if (worker === 0) return;
    const spec = this.shadow.jobs.get(number)?.spec;
    this.#check(
      this.#dispatched.has(`${key}#${attempt}`),
      `I7: ${key}#${attempt} was not assigned`,
    );
    const real = this.#codes.get(`${key}#${attempt}`);
    if (code === 0) this.#check(real === 0, `I7: ${key}#${attempt} succeeded only in a report`);
    if (spec?.fenced && code === 0) {
      const latest = this.#lastAttempt.get(key)?.attempt;
      this.#check(attempt === latest, `K5: ${key} is fenced, ${attempt} is not ${latest}`);
    }
    const reason = endReason(code);
    const last = this.#lastAttempt.get(key)?.attempt;
    this.#check(code === 0 || attempt === last, `K5: ${key} ends by attempt ${attempt} of ${last}`);
    const own = reason.state !== "cancelled";
    this.#check(own, `K3: ${key} is called ${reason.name} by a worker, nobody ended it`);
    if (code === 0 || !reason.charged || !reason.retry) return;
    const stopped = this.shadow.jobs.get(number)?.stopping;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    const spent = failures >= (spec?.retry.attempts ?? 1) || stopped;
    this.#check(Boolean(spent), `I12: ${key} failed for good after ${failures} tries`);
  }

  /** P1, W6: what is not recorded is still with its worker. */
  #noReportIsForgotten(): void {
    for (const { life, plan } of this.#world.workers) {
      const known = this.shadow.workers.get(this.shadow.workerNumbers.get(plan.id) ?? 0);
      if (!life || known?.info.incarnation !== life.incarnation) continue;
      const oldest = life.agent.unrecorded[0]?.n ?? 0;
      const next = known.reports + 1;
      this.#check(oldest <= next, `P1: ${plan.id} has forgotten report ${next}, keeps ${oldest}`);
    }
  }

  /** I15, I16, P3: none of these faults may cost a running task. */
  #mayNotBeLost(effect: Extract<Effect, { kind: "attempt" }>): void {
    if (this.#world.knobs.profile === "everything") return;
    if (effect.reason !== endReasons.workerLost.code) return;
    const key = `${effect.job}/${effect.task}#${effect.attempt}`;
    const ran = this.#begun.has(key) && !this.#codes.has(key);
    this.#check(!ran, `P3/I16: ${key} was running and is lost without a reason`);
  }

  /** P6: every task that does not run has a reason. */
  #explainAll(): void {
    const { shadow } = this;
    for (const job of shadow.jobs.values()) {
      for (let task = 0; task < job.tasks.count; task++) {
        if (stateOf(job.tasks, task) === taskState.assigned) continue;
        const { verdict, reasons } = explain(shadow, job, task, shadow.time);
        this.explained++;
        const good =
          verdict !== "" && reasons.length > 0 && reasons.every(({ text }) => text !== "");
        this.#check(good, `P6: task ${job.number}/${task} does not run and nobody can say why`);
      }
    }
  }

  sound(state: State, what: string): void {
    try {
      assertState(state);
    } catch (error) {
      this.#world.fail(`${what}: ${error instanceof Error ? error.message : String(error)}`, error);
    }
  }

  // ── answers ────────────────────────────────────────────────────────────────────────────

  submitAcked(number: number, key: RequestKey | null): void {
    this.ackedMax = Math.max(this.ackedMax, number);
    this.#check(this.jobs.has(number), `P1: job ${number} is acknowledged and not durable`);
    if (key === null) return;
    const own = this.keys.get(keyText(key));
    this.#check(own === number, `I5: key ${keyText(key)} stands for ${own}, answered ${number}`);
  }

  partAcked(number: number, part: number): void {
    const job = this.shadow.jobs.get(number);
    if (job) this.#check(part < job.parts.length, `P1: part ${part} of ${number} is not durable`);
  }

  cancelAcked(number: number, task: number | null): void {
    const job = this.shadow.jobs.get(number);
    if (!job) return;
    const over =
      task === null ? job.stopping !== null || job.ended !== "" : isEnded(job.tasks, task);
    this.#check(over, `I11: the cancel of ${number} is acknowledged and not durable`);
  }

  // ── workers ────────────────────────────────────────────────────────────────────────────

  began(worker: string, job: JobDescriptor, given: SlotAttempt, input: SimInput): void {
    const key = `${job.number}/${given.task}#${given.attempt}`;
    const before = this.#begun.get(key);
    this.#check(before === undefined, `I9: ${key} starts on ${worker}, started on ${before}`);
    this.#begun.set(key, worker);
    const sent = this.#dispatched.get(key);
    this.#check(sent?.worker === worker, `I7: ${key} starts on ${worker}, sent to ${sent?.worker}`);
    const expected = this.#world.inputs.get(`${job.id}/${given.task}`);
    this.#check(expected?.n === input.n, `${key} is given the input of another task`);
  }

  ended(job: number, task: number, attempt: number, code: number): void {
    const key = `${job}/${task}#${attempt}`;
    this.#check(!this.#codes.has(key), `${key} ends twice in its slot`);
    this.#codes.set(key, code);
  }

  #check(condition: boolean, what: string): void {
    if (!condition) this.#world.fail(what);
  }
}

export function keyText(key: RequestKey): string {
  return key.kind === "user" ? `user ${key.key}` : `client ${key.client} ${key.n}`;
}

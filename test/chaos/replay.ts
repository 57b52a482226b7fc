/**
 * The journal of a round folded by a second, much simpler hand than the core's: jobs, attempts, outcomes, and what
 * is wrong with the journal by itself (P2: one outcome; P5: terms, chain, attempt numbers).
 */
import type { BatchRecord, Fact, Input } from "./history.ts";

export interface ReplayedJob {
  readonly number: number;
  readonly id: string;
  readonly key: string | null;
  readonly inputs: Input[];
  readonly tasks: ReplayedTask[];
  closed: boolean;
  /** Index of the batch after which nothing of it may be assigned; 0: it was never stopped. */
  stoppingAt: number;
}

export interface ReplayedTask {
  readonly attempts: Attempt[];
  outcome: RecordedOutcome | undefined;
}

export interface Attempt {
  readonly number: number;
  /** Index of the batch that assigned it: `ctx.fence`. */
  readonly fence: number;
  readonly worker: number;
  readonly workerId: string;
  /** The process that was registered as this worker then. */
  readonly pid: number;
  end: "unassigned" | "lost" | "failed" | "outcome" | undefined;
  /** Where its end stands; 0: nowhere. */
  endIndex: number;
  /** Where it stands that its worker has nothing of it any more, after its task had ended; 0: nowhere. */
  releasedIndex: number;
}

export interface RecordedOutcome {
  readonly index: number;
  readonly state: "succeeded" | "failed" | "cancelled";
  readonly attempt: number;
  readonly worker: number;
  readonly reason: string;
  readonly value: string;
}

export interface Life {
  readonly worker: number;
  readonly id: string;
  readonly pid: number;
  readonly life: string;
}

/** A process said here what it has, and was told what is to end (W2). */
export interface Registration extends Life {
  readonly index: number;
}

export interface LostWorker extends Life {
  readonly index: number;
  readonly reason: string;
}

export interface Replay {
  readonly jobs: ReadonlyMap<string, ReplayedJob>;
  readonly lost: readonly LostWorker[];
  readonly registrations: readonly Registration[];
  readonly elections: readonly Election[];
  readonly resignations: readonly Resignation[];
  readonly violations: readonly string[];
}

export interface Election {
  readonly index: number;
  readonly term: number;
  readonly id: string;
  readonly life: string;
}

export interface Resignation {
  readonly index: number;
  readonly term: number;
  readonly to: string | null;
}

const cancelling = new Set(["cancelled", "upstream", "stopped", "superseded", "client_gone"]);

export function stateOfReason(reason: string): RecordedOutcome["state"] {
  if (reason === "succeeded") return "succeeded";
  return cancelling.has(reason) ? "cancelled" : "failed";
}

export function replay(batches: readonly BatchRecord[]): Replay {
  const fold = new Fold();
  for (const batch of batches) fold.take(batch);
  return fold;
}

class Fold implements Replay {
  readonly jobs = new Map<string, ReplayedJob>();
  readonly lost: LostWorker[] = [];
  readonly registrations: Registration[] = [];
  readonly elections: Election[] = [];
  readonly resignations: Resignation[] = [];
  readonly violations: string[] = [];
  readonly #byNumber = new Map<number, ReplayedJob>();
  readonly #workers = new Map<number, Life>();
  /** Attempts of each worker that have not ended. */
  readonly #live = new Map<number, Set<Attempt>>();
  #last: BatchRecord | undefined;
  /** A leader that has resigned appends nothing more. */
  #resigned = false;

  take(batch: BatchRecord): void {
    this.#checkOrder(batch);
    this.#last = batch;
    for (const fact of batch.facts) this.#fact(fact, batch);
  }

  #checkOrder(batch: BatchRecord): void {
    const { index, term, previousHash, journalId } = batch;
    const last = this.#last;
    const lastIndex = last?.index ?? 0;
    if (index !== lastIndex + 1) this.#say(`P5: batch ${index} follows batch ${lastIndex}`);
    if (last && previousHash !== last.hash) {
      this.#say(
        `P5: batch ${index} does not hold the hash of batch ${lastIndex}: the chain is cut`,
      );
    }
    if (last && journalId !== last.journalId) {
      this.#say(`P5: batch ${index} is of journal ${journalId}, not of ${last.journalId}`);
    }
    if (last && term < last.term) {
      this.#say(`P5: batch ${index} of term ${term} stands after one of term ${last.term}`);
    }
    const [first] = batch.facts;
    const elected = first?.kind === "elected" ? first : undefined;
    if (elected && elected.term !== term) {
      this.#say(`P5: batch ${index} of term ${term} elects for term ${elected.term}`);
    }
    const ruling = elected?.term ?? this.elections.at(-1)?.term;
    if (term !== ruling) {
      this.#say(`P5: batch ${index} is of term ${term}, but nobody was elected for it`);
    }
    if (this.#resigned && !elected) {
      this.#say(`P5: batch ${index} is of a leader that had resigned`);
    }
    if (elected) this.#resigned = false;
  }

  #fact(fact: Fact, { index, term }: BatchRecord): void {
    switch (fact.kind) {
      case "elected":
        return this.#elected({ index, term: fact.term, id: fact.id, life: fact.life });
      case "resigned":
        this.#resigned = true;
        this.resignations.push({ index, term, to: fact.to });
        return;
      case "job":
        return this.#create(fact, index);
      case "part":
        return this.#addPart(this.#job(fact.job, index), fact.inputs);
      case "closed":
        this.#job(fact.job, index).closed = true;
        return;
      case "stopping":
        this.#job(fact.job, index).stoppingAt = index;
        return;
      case "registered": {
        const { worker, id, pid, life } = fact;
        this.#workers.set(worker, { worker, id, pid, life });
        this.registrations.push({ worker, id, pid, life, index });
        return;
      }
      case "lost":
        return this.#lose(fact.worker, fact.reason, index);
      default:
        return this.#attemptFact(fact, index);
    }
  }

  #attemptFact(fact: Fact, index: number): void {
    switch (fact.kind) {
      case "assigned":
        for (let i = 0; i < fact.count; i++) this.#assign(fact, fact.first + i, index);
        return;
      case "unassigned":
        for (let i = 0; i < fact.count; i++) {
          const { job, worker, first } = fact;
          this.#endAttempt({ job, task: first + i, worker, how: "unassigned", index });
        }
        return;
      case "attemptFailed":
        return this.#endAttempt({ ...fact, how: "failed", index });
      case "outcome":
        return this.#record(fact, index);
      case "swept":
        return this.#sweep(fact, index);
      case "released":
        return this.#release(fact, index);
      default:
    }
  }

  #elected(election: Election): void {
    const before = this.elections.at(-1);
    if (before && election.term <= before.term) {
      const { term, id } = election;
      this.#say(`P5: ${id} is elected for term ${term} after ${before.id} for ${before.term}`);
    }
    this.elections.push(election);
  }

  #create(fact: Fact & { kind: "job" }, index: number): void {
    const { job: number, id, key } = fact;
    if (this.jobs.has(id)) this.#say(`P1: job ${id} is created a second time in batch ${index}`);
    const made = { number, id, key, inputs: [], tasks: [], closed: false, stoppingAt: 0 };
    this.jobs.set(id, made);
    this.#byNumber.set(number, made);
  }

  #addPart(job: ReplayedJob, inputs: readonly Input[]): void {
    for (const input of inputs) {
      job.inputs.push(input);
      job.tasks.push({ attempts: [], outcome: undefined });
    }
  }

  #assign(fact: Fact & { kind: "assigned" }, task: number, index: number): void {
    const job = this.#job(fact.job, index);
    const name = `${job.id}/${task}`;
    const { attempts, outcome } = this.#task(job, task, index);
    const last = attempts.at(-1);
    const number = fact.attempt;
    if (number !== (last?.number ?? 0) + 1) {
      this.#say(`P5: attempt ${number} of ${name} follows attempt ${last?.number ?? 0}`);
    }
    if (last && last.end === undefined) {
      this.#say(`P2: attempt ${number} of ${name} is made while attempt ${last.number} lives`);
    }
    if (outcome) this.#say(`P2: attempt ${number} of ${name} is made after its outcome`);
    if (job.stoppingAt > 0) {
      this.#say(`P2: attempt ${number} of ${name} is made after its job was stopped`);
    }
    const worker = this.#workers.get(fact.worker);
    if (!worker) this.#say(`P5: attempt ${number} of ${name} goes to a worker never registered`);
    const { id: workerId = "", pid = 0 } = worker ?? {};
    const made: Attempt = {
      ...{ number, fence: index, worker: fact.worker, workerId, pid },
      ...{ end: undefined, endIndex: 0, releasedIndex: 0 },
    };
    attempts.push(made);
    this.#liveOn(fact.worker).add(made);
  }

  #endAttempt(ended: {
    readonly job: number;
    readonly task: number;
    readonly worker: number;
    readonly attempt?: number;
    readonly how: NonNullable<Attempt["end"]>;
    readonly index: number;
  }): void {
    const { task, worker, how, index } = ended;
    const job = this.#job(ended.job, index);
    const { attempts } = this.#task(job, task, index);
    const last = attempts.at(-1);
    if (!last || last.worker !== worker || last.number !== (ended.attempt ?? last.number)) {
      this.#say(`P2: batch ${index} ends an attempt of ${job.id}/${task} that is not its latest`);
      return;
    }
    if (last.end !== undefined) {
      this.#say(`P2: attempt ${last.number} of ${job.id}/${task} ends a second time in ${index}`);
    }
    this.#end(last, how, index);
  }

  /** A success of an older attempt may be the outcome too (K5). */
  #record(fact: Fact & { kind: "outcome" }, index: number): void {
    const job = this.#job(fact.job, index);
    const name = `${job.id}/${fact.task}`;
    const task = this.#task(job, fact.task, index);
    if (task.outcome) {
      this.#say(
        `P2: ${name} has a second outcome in batch ${index}; the first is in batch ${task.outcome.index}`,
      );
      return;
    }
    const { attempt, worker, reason, value } = fact;
    task.outcome = { index, attempt, worker, reason, value, state: stateOfReason(reason) };
    const made = task.attempts.find(({ number }) => number === attempt);
    if (!made) this.#say(`P2: the outcome of ${name} is of attempt ${attempt}, never assigned`);
    else if (made.worker !== worker) {
      this.#say(`P2: the outcome of ${name} is of worker ${worker}, not of worker ${made.worker}`);
    } else if (made.end === undefined) this.#end(made, "outcome", index);
    const latest = task.attempts.at(-1);
    if (latest && latest.end === undefined) this.#end(latest, "outcome", index);
  }

  #sweep(fact: Fact & { kind: "swept" }, index: number): void {
    const { first, count, reason } = fact;
    const job = this.#job(fact.job, index);
    for (let i = first; i < first + count; i++) {
      const task = this.#task(job, i, index);
      if (task.outcome) continue;
      const state = stateOfReason(reason);
      task.outcome = { index, attempt: 0, worker: 0, reason, value: "", state };
      const last = task.attempts.at(-1);
      if (last && last.end === undefined) this.#end(last, "outcome", index);
    }
  }

  #release(fact: Fact & { kind: "released" }, index: number): void {
    const job = this.#job(fact.job, index);
    for (const number of fact.tasks) {
      const task = this.#task(job, number, index);
      const last = task.attempts.at(-1);
      if (last && task.outcome) last.releasedIndex = index;
      else this.#say(`P2: batch ${index} releases ${job.id}/${number}, which has not ended`);
    }
  }

  #lose(number: number, reason: string, index: number): void {
    const worker = this.#workers.get(number);
    if (worker) this.lost.push({ ...worker, index, reason });
    for (const attempt of this.#liveOn(number)) this.#end(attempt, "lost", index);
  }

  #end(attempt: Attempt, how: NonNullable<Attempt["end"]>, index: number): void {
    attempt.end = how;
    attempt.endIndex = index;
    this.#liveOn(attempt.worker).delete(attempt);
  }

  #liveOn(worker: number): Set<Attempt> {
    const known = this.#live.get(worker) ?? new Set();
    this.#live.set(worker, known);
    return known;
  }

  #job(number: number, index: number): ReplayedJob {
    const job = this.#byNumber.get(number);
    if (job) return job;
    this.#say(`P1: batch ${index} speaks of job ${number}, which was never created`);
    const unknown = { number, id: `#${number}`, key: null, inputs: [], tasks: [] };
    const made = { ...unknown, closed: false, stoppingAt: 0 };
    this.#byNumber.set(number, made);
    return made;
  }

  #task(job: ReplayedJob, task: number, index: number): ReplayedTask {
    const known = job.tasks[task];
    if (known) return known;
    this.#say(`P1: batch ${index} speaks of task ${job.id}/${task}, which has no input`);
    return { attempts: [], outcome: undefined };
  }

  #say(violation: string): void {
    this.violations.push(violation);
  }
}

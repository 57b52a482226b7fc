/** Clients that submit without a pause, and remember what was acknowledged and what they were told. */
import { setTimeout as sleep } from "node:timers/promises";
import type { JobHandle, Skein } from "skein";
import { resultOf, work } from "./ledger-tasks.ts";
import type { Work } from "./ledger-tasks.ts";
import type { ProcessCluster } from "./process-cluster.ts";

export interface LoadOptions {
  readonly ledger: string;
  /** The longest a task runs. */
  readonly longMs: number;
}

export class Load {
  /** Inputs of every acknowledged job, by its id. */
  readonly jobs = new Map<string, readonly Work[]>();
  /** Tasks whose result came back on the response of their submit; nobody was told their job's id. */
  runs = 0;
  /** What a client was told and should not have been. */
  readonly failures: string[] = [];
  readonly #ledger: string;
  readonly #stopped = new AbortController();
  readonly #clients: Promise<void>[];
  readonly #turns = new Set<Promise<void>>();
  readonly #longMs: number;
  #lastInput = 0;

  constructor(cluster: ProcessCluster, { ledger, longMs }: LoadOptions) {
    this.#ledger = ledger;
    this.#longMs = longMs;
    const kinds = [this.#noops, this.#short, this.#keyed, this.#run, this.#long, this.#streamed];
    this.#clients = kinds.map((kind) => this.#client(cluster, kind));
  }

  get tasks(): number {
    return [...this.jobs.values()].reduce((sum, inputs) => sum + inputs.length, this.runs);
  }

  /** Nothing new is submitted; resolves when every client has what it waits for. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#clients);
  }

  /** Resolves when all that is under way now has come back to its client. */
  async passed(): Promise<void> {
    await Promise.all(this.#turns);
  }

  async #client(cluster: ProcessCluster, kind: (skein: Skein) => Promise<void>): Promise<void> {
    await using skein = await cluster.connect();
    while (!this.#stopped.signal.aborted) {
      const turn = kind.call(this, skein).catch((error: unknown) => {
        this.failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      });
      this.#turns.add(turn);
      await turn;
      this.#turns.delete(turn);
      await sleep(20);
    }
  }

  #inputs(count: number, ms: () => number): Work[] {
    return Array.from({ length: count }, () => ({
      n: ++this.#lastInput,
      ms: ms(),
      ledger: this.#ledger,
    }));
  }

  async #noops(skein: Skein): Promise<void> {
    const inputs = this.#inputs(between(50, 200), () => 0);
    await this.#check(await skein.map(work, inputs), inputs);
  }

  async #short(skein: Skein): Promise<void> {
    const inputs = this.#inputs(8, () => between(30, 70));
    await this.#check(await skein.map(work, inputs), inputs);
  }

  /** One task with a key of the user's own; sent a second time it is the same job. */
  async #keyed(skein: Skein): Promise<void> {
    const inputs = this.#inputs(1, () => between(0, 20));
    for (const input of inputs) {
      const key = `keyed-${input.n}`;
      const first = await skein.submit(work, input, { key });
      const again = await skein.submit(work, input, { key });
      if (again.id !== first.id) this.failures.push(`key ${key} is of ${first.id} and ${again.id}`);
      await this.#check(first.job, inputs);
    }
  }

  async #run(skein: Skein): Promise<void> {
    for (const input of this.#inputs(1, () => 0)) {
      const result = await skein.run(work, input);
      this.runs++;
      if (result !== resultOf(input)) this.failures.push(`${input.n} came back as ${result}`);
    }
  }

  /** Longer than an outage: it runs through several. */
  async #long(skein: Skein): Promise<void> {
    const inputs = this.#inputs(1, () => between(this.#longMs / 2, this.#longMs));
    await this.#check(await skein.map(work, inputs), inputs);
  }

  /** An open job (K1) whose inputs come slowly: masters change between its parts. */
  async #streamed(skein: Skein): Promise<void> {
    const inputs = this.#inputs(100, () => 0);
    async function* slowly(): AsyncGenerator<Work> {
      for (const input of inputs) {
        await sleep(20);
        yield input;
      }
    }
    await this.#check(await skein.map(work, slowly()), inputs);
  }

  async #check(job: JobHandle<string>, inputs: readonly Work[]): Promise<void> {
    this.jobs.set(job.id, inputs);
    const results = await job.results();
    for (const [task, input] of inputs.entries()) {
      if (results[task] === resultOf(input)) continue;
      this.failures.push(`${job.id}/${task} came back as ${results[task]}`);
    }
    if (results.length !== inputs.length) {
      this.failures.push(`${job.id}: ${results.length} results of ${inputs.length} tasks`);
    }
  }
}

/** A whole number of a range, by chance. */
export function between(min: number, max: number): number {
  return min + Math.floor(Math.random() * (max - min + 1));
}

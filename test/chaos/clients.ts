/** Clients that go on asking while things break, each in its own way, and take down what they are told. */
import { setTimeout as sleep } from "node:timers/promises";
import { SkeinError } from "skein";
import type { JobHandle, JobView, Skein } from "skein";
import { errorKinds } from "../../src/protocol/errors.ts";
import type { Random } from "../simulator/random.ts";
import { chaosPayload, chaosWork } from "./chaos-tasks.ts";
import type { PayloadWork, Work } from "./chaos-tasks.ts";
import { outcomesOf } from "./facts.ts";
import { always, now, storedValue } from "./history.ts";
import type { Cancel, Input, SeenOutcome } from "./history.ts";
import { filler, sumOf } from "./payloads.ts";
import type { Recorder } from "./recorder.ts";
import { stateOfReason } from "./replay.ts";

export interface ClientsOptions {
  readonly connect: (retryMs: number) => Promise<Skein>;
  /** Where masters listen, for a client that asks any of them. */
  readonly masters: () => readonly string[];
  readonly token: string;
  readonly recorder: Recorder;
  readonly random: Random;
  /** The file that user code writes to. */
  readonly log: string;
  /** The longest a task runs. */
  readonly longMs: number;
  /** Between two things that a client asks. */
  readonly paceMs: readonly [least: number, most: number];
}

/** Longer than any round leaves a cluster without a leader. */
const patienceMs = 120_000;

type Way = (at: Asking) => Promise<void>;

interface Asking {
  readonly skein: Skein;
  readonly client: string;
  readonly random: Random;
}

export class Clients {
  readonly #o: ClientsOptions;
  readonly #stopped = new AbortController();
  readonly #loops: Promise<void>[];
  /** Jobs that were acknowledged, for those who read. */
  readonly #jobs: string[] = [];
  readonly #connections = new Set<Skein>();
  #abandoned = false;
  #readAt = 0;
  #lastInput = 0;

  constructor(options: ClientsOptions) {
    this.#o = options;
    const ways: Record<string, Way> = {
      single: (at) => this.#single(at),
      map: (at) => this.#map(at),
      short: (at) => this.#short(at),
      long: (at) => this.#long(at),
      open: (at) => this.#open(at),
      retry: (at) => this.#retry(at),
      impatient: (at) => this.#impatient(at),
      payload: (at) => this.#payload(at),
      cancel: (at) => this.#cancel(at),
      reader: (at) => this.#readAnywhere(at),
    };
    this.#loops = Object.entries(ways).map(([client, way]) => this.#loop(client, way));
  }

  /** Inputs submitted so far. */
  get asked(): number {
    return this.#lastInput;
  }

  /** Nothing new is asked; resolves when all have what they wait for. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#loops);
  }

  /** Gives up what they wait for: it stays unknown. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    await Promise.all([...this.#connections].map((skein) => skein.close()));
    await this.stop();
  }

  async #loop(client: string, way: Way): Promise<void> {
    const skein = await this.#connect(patienceMs);
    const random = this.#o.random.fork(client);
    while (!this.#stopped.signal.aborted) {
      await way({ skein, client, random });
      await sleep(random.between(...this.#o.paceMs));
    }
    await skein.close();
  }

  async #connect(retryMs: number): Promise<Skein> {
    for (;;) {
      try {
        const skein = await this.#o.connect(retryMs);
        this.#connections.add(skein);
        if (this.#abandoned) await skein.close();
        return skein;
      } catch (error) {
        // Connecting asks a master, once and not for long: there may be none now.
        if (this.#abandoned) throw error;
        await sleep(100);
      }
    }
  }

  #inputs(count: number, make: () => Omit<Input, "n">): Work[] {
    return Array.from({ length: count }, () => ({
      n: ++this.#lastInput,
      ...make(),
      log: this.#o.log,
    }));
  }

  /** A submit that waits for its result. */
  async #single({ skein, client, random }: Asking): Promise<void> {
    const { recorder } = this.#o;
    for (const input of this.#inputs(1, () => ({ ms: random.between(0, 5), failing: 0 }))) {
      const key = random.chance(0.5) ? `single-${input.n}` : undefined;
      const told = recorder.submit(client, { key: key ?? null, inputs: [plain(input)] });
      const at = now();
      try {
        const value = await skein.run(chaosWork, input, key === undefined ? {} : { key });
        const job = value.slice(0, value.indexOf("/"));
        told({ kind: "ok", job });
        const outcomes = [{ task: 0, state: "succeeded", value }];
        recorder.seen(client, at, { how: "answer", job, outcomes, complete: true });
      } catch (error) {
        told(answerOf(error));
      }
    }
  }

  async #map(at: Asking): Promise<void> {
    const count = at.random.between(20, 100);
    const inputs = this.#inputs(count, () => ({ ms: 0, failing: 0 }));
    const job = await this.#submit(at, inputs);
    if (job) await this.#stream(at, job);
  }

  async #short(at: Asking): Promise<void> {
    const make = () => ({ ms: at.random.between(20, 80), failing: 0 });
    const job = await this.#submit(at, this.#inputs(6, make));
    if (job) await this.#results(at, job);
  }

  async #long(at: Asking): Promise<void> {
    const { longMs } = this.#o;
    const make = () => ({ ms: at.random.between(longMs / 3, longMs), failing: 0 });
    const job = await this.#submit(at, this.#inputs(2, make));
    if (job) await this.#read(at, job);
    if (job) await this.#stream(at, job);
  }

  /** An open job (K1), whose inputs come slowly: masters change between its parts. */
  async #open(at: Asking): Promise<void> {
    const inputs = this.#inputs(30, () => ({ ms: 0, failing: 0 }));
    async function* slowly(): AsyncGenerator<Work> {
      for (const input of inputs) {
        await sleep(20);
        yield input;
      }
    }
    const job = await this.#submit(at, inputs, slowly());
    if (job) await this.#stream(at, job);
  }

  /** Tasks that fail once or twice before they succeed, and one that always fails. */
  async #retry(at: Asking): Promise<void> {
    let made = 0;
    const make = () => ({
      ms: at.random.between(0, 30),
      failing: made++ === 0 ? always : made - 1,
    });
    const job = await this.#submit(at, this.#inputs(3, make));
    if (job) await this.#stream(at, job);
  }

  /** Contents that are stored by their hash, in and out; some of it fails once. */
  async #payload(at: Asking): Promise<void> {
    const { random } = at;
    const size = () => random.between(100_000, 2_000_000);
    const make = () => ({ ms: random.between(0, 30), failing: random.chance(0.2) ? 1 : 0 });
    const inputs = this.#inputs(random.between(1, 2), make).map((work): PayloadWork => {
      const body = random.chance(0.7) ? filler(`input ${work.n}`, size()) : "";
      return { ...work, body, gives: random.chance(0.7) ? size() : 0 };
    });
    const submit = (skein: Skein, options: MapOptions) => skein.map(chaosPayload, inputs, options);
    const job = await this.#submitted(at, inputs, submit);
    if (job) await this.#stream(at, job);
    await sleep(random.between(100, 400));
  }

  /** Takes back what it has just asked for, all of it or some, while it waits, starts or runs. */
  async #cancel(at: Asking): Promise<void> {
    const { skein, client, random } = at;
    const make = () => ({ ms: random.between(0, 400), failing: 0 });
    const job = await this.#submit(at, this.#inputs(random.between(8, 24), make));
    if (!job) return;
    await sleep(random.between(0, 300));
    const { recorder } = this.#o;
    if (random.chance(0.5)) {
      const told = recorder.cancel(client, { job: job.id, task: null });
      told(await job.cancel().then(jobCancelled, answerOf));
    } else {
      for (const task of [0, 3, 7].map((most) => random.between(0, most))) {
        const told = recorder.cancel(client, { job: job.id, task });
        told(await skein.client.cancelTask(job.id, task).then(taskCancelled, answerOf));
      }
    }
    await this.#stream(at, job);
  }

  /** Tries once, is told that it is not known, and asks again with the same key until it is. */
  async #impatient({ client, random }: Asking): Promise<void> {
    await using skein = await this.#connect(1);
    for (const input of this.#inputs(1, () => ({ ms: 0, failing: 0 }))) {
      const key = `impatient-${input.n}`;
      for (let tries = 0; tries < 20 && !this.#stopped.signal.aborted; tries++) {
        const told = this.#o.recorder.submit(client, { key, inputs: [plain(input)] });
        const sent = skein.submit(chaosWork, input, { key });
        const answer = await sent.then(({ id }) => ({ kind: "ok", job: id }) as const, answerOf);
        told(answer);
        if (answer.kind === "ok") return;
        await sleep(random.between(50, 200));
      }
    }
  }

  /** Reads a job at any master, which must stand at least where the last answer stood (L5). */
  async #readAnywhere({ client, random }: Asking): Promise<void> {
    const job = this.#jobs.at(-random.between(1, 5));
    const master = random.pick(this.#o.masters());
    if (job === undefined) return;
    const at = now();
    const headers = { authorization: `Bearer ${this.#o.token}` };
    try {
      const signal = AbortSignal.timeout(3_000);
      const url = `${master}/v1/jobs/${job}?atLeast=${this.#readAt}`;
      const response = await fetch(url, { headers, signal });
      // A refusal says nothing about the job.
      if (!response.ok) return void (await response.text());
      const { tasks, counts } = (await response.json()) as JobView;
      const index = Number(response.headers.get("skein-index"));
      const term = Number(response.headers.get("skein-term"));
      this.#readAt = index;
      const ended = counts.succeeded + counts.failed + counts.cancelled;
      this.#o.recorder.read(client, at, { job, tasks, ended, index, term });
    } catch {
      // That master is down, stopped or cut off: another one then.
    }
  }

  #submit(
    at: Asking,
    inputs: readonly Work[],
    source?: AsyncIterable<Work>,
  ): Promise<JobHandle<string> | undefined> {
    return this.#submitted(at, inputs, (skein, options) =>
      skein.map(chaosWork, source ?? inputs, options),
    );
  }

  async #submitted<Output>(
    { skein, client, random }: Asking,
    inputs: readonly Work[],
    submit: (skein: Skein, options: MapOptions) => Promise<JobHandle<Output>>,
  ): Promise<JobHandle<Output> | undefined> {
    const key = random.chance(0.5) ? `${client}-${inputs[0]?.n}` : undefined;
    const told = this.#o.recorder.submit(client, { key: key ?? null, inputs: inputs.map(plain) });
    const retry = { attempts: 3, backoff: "20ms" } as const;
    try {
      const job = await submit(skein, { key, retry });
      told({ kind: "ok", job: job.id });
      this.#jobs.push(job.id);
      return job;
    } catch (error) {
      told(answerOf(error));
      return undefined;
    }
  }

  async #results({ client }: Asking, job: JobHandle<string>): Promise<void> {
    const at = now();
    const told = { how: "results", job: job.id } as const;
    try {
      const values = await job.results();
      const outcomes = values.map((value, task) => ({ task, state: "succeeded", value }));
      this.#o.recorder.seen(client, at, { ...told, outcomes, complete: true });
    } catch (error) {
      const why = String(error);
      this.#o.recorder.seen(client, at, { ...told, outcomes: [], complete: false, why });
    }
  }

  /** As records with their positions: below the SDK's comfort. */
  async #stream({ skein, client }: Asking, { id: job }: JobHandle<unknown>): Promise<void> {
    const at = now();
    const outcomes: SeenOutcome[] = [];
    const told = { how: "stream", job, outcomes } as const;
    try {
      for await (const event of skein.client.outcomes(job, { follow: true })) {
        if (event.kind === "end") continue;
        const { index, n } = event.at;
        for (const { task, reason, value } of outcomesOf(event.block)) {
          const seen = { task, state: stateOfReason(reason), at: [index, n] } as const;
          outcomes.push({ ...seen, ...(await fetched(skein, value)) });
        }
      }
      this.#o.recorder.seen(client, at, { ...told, complete: true });
    } catch (error) {
      this.#o.recorder.seen(client, at, { ...told, complete: false, why: String(error) });
    }
  }

  /** The job's counts, again and again, until it has ended. */
  async #read({ client }: Asking, job: JobHandle<string>): Promise<void> {
    for (;;) {
      const at = now();
      const view = await job.view().catch(() => undefined);
      if (view) {
        const { tasks, counts } = view;
        const ended = counts.succeeded + counts.failed + counts.cancelled;
        this.#o.recorder.read(client, at, { job: job.id, tasks, ended });
        if (ended === tasks) return;
      } else if (this.#abandoned) return;
      await sleep(100);
    }
  }
}

type MapOptions = NonNullable<Parameters<Skein["map"]>[2]>;

/** Of a stored result the bytes, as the sum that this client counts itself. */
async function fetched(
  skein: Skein,
  value: string,
): Promise<Pick<SeenOutcome, "value" | "missing">> {
  const [, hash] = /^stored (\w+)$/.exec(value) ?? [];
  if (hash === undefined) return { value };
  try {
    return { value: storedValue(sumOf(await skein.client.payload(hash))) };
  } catch (error) {
    if (error instanceof SkeinError && error.code === "not_found") {
      return { value, missing: error.message };
    }
    throw error;
  }
}

function jobCancelled({ tasks, counts }: JobView): Cancel["answer"] {
  const ended = counts.succeeded + counts.failed + counts.cancelled;
  return { kind: "ok", tasks, ended };
}

const endedStates = new Set(["succeeded", "failed", "cancelled"]);

function taskCancelled({ state }: { readonly state: string }): Cancel["answer"] {
  return { kind: "ok", tasks: 1, ended: endedStates.has(state) ? 1 : 0, state };
}

const sure = new Set(["bad_request", "invalid", "too_large", "overloaded", "queue_full"]);

/** Only what says that nothing was done is a failure; all the rest is not known. */
function answerOf(error: unknown): { readonly kind: "failed" | "unknown"; readonly why: string } {
  if (!(error instanceof SkeinError)) return { kind: "unknown", why: String(error) };
  const why = `${error.code}: ${error.message}`;
  return { kind: sure.has(error.code) && error.code in errorKinds ? "failed" : "unknown", why };
}

/** What a large input is known by: the sum of its contents, and that of all of it, as the SDK stores it. */
function plain(work: Work | PayloadWork): Input {
  const { n, ms, failing } = work;
  if (!("body" in work)) return { n, ms, failing };
  const { body, gives } = work;
  if (body === "") return { n, ms, failing, gives };
  return { n, ms, failing, gives, sum: sumOf(body), stored: sumOf(JSON.stringify(work)) };
}

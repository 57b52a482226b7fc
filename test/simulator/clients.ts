// Clients: they submit whole and open jobs with keys, send the same again when no answer came, wait for what
// they submitted by depending on it, and cancel. What they were told they remember, and hold against the end.

import { crc32 } from "node:zlib";
import type { PartInput, SubmitRequest } from "../../src/core/commands/submit.ts";
import type { RequestKey } from "../../src/core/entry.ts";
import { SimApi } from "./api.ts";
import type { Taker } from "./api.ts";
import { keyText } from "./checker.ts";
import { drawPlan, partBytes } from "./plans.ts";
import type { JobPlan } from "./plans.ts";
import { SimReader } from "./readers.ts";
import type { SimInput } from "./executor.ts";
import type { World } from "./world.ts";

/** A job that was acknowledged. */
export interface AckedJob {
  readonly number: number;
  readonly id: string;
  readonly plan: JobPlan;
  /** Parts that were acknowledged. */
  parts: number;
}

export class SimClient {
  readonly name: string;
  readonly acked: AckedJob[] = [];
  readonly api: SimApi;
  #left: number;
  #busy = 0;
  #n = 0;
  readonly #world: World;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.api = new SimApi(world, name);
    this.#left = world.knobs.jobsPerClient;
    void new SimReader(world, this);
    this.#next();
  }

  /** Nothing more will be submitted, and nothing waits for an answer. */
  get finished(): boolean {
    return this.#left === 0 && this.#busy === 0;
  }

  #next(): void {
    const { timeline, random, knobs } = this.#world;
    if (this.#left === 0) return;
    const gap = (knobs.faultsMs / knobs.jobsPerClient) * random.clients.float() * 1.5;
    timeline.after(gap, `${this.name} submits`, () => {
      this.#left--;
      this.#busy++;
      this.#submit();
      if (random.clients.chance(0.1)) this.#busyWithSame();
      this.#next();
    });
  }

  #busyWithSame(): void {
    const job = this.acked.at(-1);
    if (job) this.#reuseKey(job);
  }

  #submit(): void {
    const { random, knobs } = this.#world;
    const known = this.#world.clients.flatMap((client) => client.acked.map(({ id }) => id));
    const plan = drawPlan(random.clients, knobs, known.slice(-6));
    const key = this.#key(plan);
    const id = random.ids.hex(16);
    const made = this.#world.submitted(id, plan);
    const twice = random.clients.chance(0.1) ? 2 : 1;
    for (let i = 0; i < twice; i++) {
      if (i > 0) this.#busy++;
      this.api.insist(
        (taker) => submitRequest(this.#world, taker, made, plan, key),
        (answer) => {
          if (answer.ok) this.#world.checker.submitAcked(answer.job, key);
        },
        (answer, tries) => {
          if (answer.ok) return this.#created(answer.job, plan, i > 0);
          this.#busy--;
          this.#world.timeline.trace(`${this.name} was refused ${keyText(key)}: ${answer.code}`);
          const sure = tries.lost === 0 && twice === 1 && answer.code !== "key_reused";
          if (sure) this.#world.checker.refusedKeys.add(keyText(key));
        },
      );
    }
  }

  #key(plan: JobPlan): RequestKey {
    const fingerprint = `${crc32(JSON.stringify(plan.spec))}`;
    const n = ++this.#n;
    if (this.#world.random.clients.chance(0.3)) {
      return { kind: "user", key: `${this.name}-${n}`, fingerprint };
    }
    return { kind: "client", client: this.name, n, fingerprint };
  }

  #created(number: number, plan: JobPlan, again: boolean): void {
    const id = this.#world.checker.jobs.get(number)?.id ?? "";
    if (!again) {
      const parts = plan.open ? 0 : plan.parts.length;
      this.acked.push({ number, id, plan, parts });
    }
    const job = this.acked.find((one) => one.number === number);
    if (plan.open && !again && job) this.#sendPart(job, 0);
    else this.#busy--;
  }

  #sendPart(job: AckedJob, part: number): void {
    const { checker, random, timeline } = this.#world;
    if (part === job.plan.diesAfter) {
      timeline.trace(`${this.name} dies in the middle of job ${job.number}`);
      this.#busy--;
      return;
    }
    const inputs = job.plan.parts[part];
    if (inputs === undefined) return this.#close(job);
    this.api.insist(
      ({ watch }) => {
        watch.touch(job.number);
        return { kind: "part", job: job.number, part, input: partInput(inputs) };
      },
      (answer) => {
        if (answer.ok) checker.partAcked(job.number, part);
      },
      (answer) => {
        if (!answer.ok) {
          timeline.trace(`part ${part} of ${job.number} was refused: ${answer.code}`);
          this.#busy--;
          return;
        }
        job.parts = Math.max(job.parts, part + 1);
        const gap = random.clients.float() * 3_000;
        timeline.after(gap, "next part", () => this.#sendPart(job, part + 1));
      },
    );
  }

  #close(job: AckedJob): void {
    this.api.insist(
      () => ({ kind: "close", job: job.number, parts: job.plan.parts.length }),
      () => {},
      () => {
        this.#busy--;
      },
    );
  }

  /** The same key with another body must be refused. */
  #reuseKey(job: AckedJob): void {
    const { world } = { world: this.#world };
    const text = [...world.checker.keys].find(([, number]) => number === job.number)?.[0];
    const name = text?.startsWith("user ") ? text.slice(5) : undefined;
    if (name === undefined) return;
    const key: RequestKey = { kind: "user", key: name, fingerprint: "another body" };
    const id = world.random.ids.hex(16);
    this.api.call(
      (taker) => submitRequest(world, taker, id, job.plan, key),
      (answer) => world.check(!answer.ok, `I5: key ${name} was taken with another body`),
      () => {},
    );
  }
}

function submitRequest(
  world: World,
  { loop, life }: Taker,
  id: string,
  plan: JobPlan,
  key: RequestKey,
): SubmitRequest {
  const taken = loop.peek((state) => state.jobNumbers.has(id));
  const needed = plan.spec.after.length > 0;
  const archived = needed ? life.master.disk.archive.endsById() : new Map<string, string>();
  const gone = [...archived].filter(([one]) => loop.peek((state) => !state.jobNumbers.has(one)));
  return {
    kind: "submit",
    // Every request has an id of its own; it is used only if the key is new.
    id: taken ? world.submitted(world.random.ids.hex(16), plan) : id,
    spec: plan.spec,
    open: plan.open,
    key,
    parts: plan.open ? [] : plan.parts.map(partInput),
    archived: new Map(gone),
    strictQueues: false,
  };
}

function partInput(inputs: readonly SimInput[]): PartInput {
  const bytes = partBytes(inputs);
  return { bytes, count: inputs.length, sum: crc32(bytes), payloads: [] };
}

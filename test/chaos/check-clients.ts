/** P1: what clients were promised is in the journal, once, and came to what it had to come to. */
import { always, valueOf } from "./history.ts";
import type { History, Input, Seen, SeenOutcome, Submitted } from "./history.ts";
import type { Replay, ReplayedJob, ReplayedTask } from "./replay.ts";

export function checkClients(history: History, replayed: Replay): string[] {
  const submits = history.operations.filter((one) => one.kind === "submit");
  const seen = history.operations.filter((one) => one.kind === "seen");
  const places = placesOf(replayed);
  return [
    ...places.violations,
    ...submits.flatMap((submit) => checkSubmit(submit, replayed, places.jobs)),
    ...checkRefused(submits, places.jobs),
    ...strangers(submits, places.jobs),
    ...[...replayed.jobs.values()].flatMap((job) => checkJob(job, history)),
    ...seen.flatMap((one) => checkSeen(one, replayed.jobs.get(one.job))),
  ];
}

type Places = ReadonlyMap<number, ReplayedJob>;

/** In which job each input stands; inputs and keys are of one job each. */
function placesOf(replayed: Replay): { readonly jobs: Places; readonly violations: string[] } {
  const jobs = new Map<number, ReplayedJob>();
  const keys = new Map<string, ReplayedJob>();
  const violations: string[] = [];
  for (const job of replayed.jobs.values()) {
    const sameKey = job.key === null ? undefined : keys.get(job.key);
    if (sameKey) {
      violations.push(`P1: key ${job.key} made two jobs, ${sameKey.id} and ${job.id}`);
    }
    if (job.key !== null) keys.set(job.key, job);
    for (const { n } of job.inputs) {
      const other = jobs.get(n);
      if (other) {
        violations.push(`P1: input ${n} is in the journal twice: in ${other.id} and ${job.id}`);
      }
      jobs.set(n, job);
    }
  }
  return { jobs, violations };
}

function checkSubmit(submit: Submitted, replayed: Replay, places: Places): string[] {
  const { client, key, inputs, answer } = submit;
  const first = inputs[0]?.n ?? 0;
  const name = `the submit of input ${first} by ${client}`;
  if (answer.kind !== "ok") {
    const job = places.get(first);
    return job ? checkInputs(name, inputs.slice(0, job.inputs.length), job) : [];
  }
  const job = replayed.jobs.get(answer.job);
  if (!job) return [`P1: ${name} was acknowledged as ${answer.job}, which is not in the journal`];
  const violations = checkInputs(name, inputs, job);
  if (key !== null && job.key !== key) {
    violations.push(`P1: ${name} had key ${key}, job ${job.id} has ${job.key}`);
  }
  if (!job.closed) violations.push(`P1: ${name} was acknowledged, but job ${job.id} is still open`);
  return violations;
}

/** Nobody is told "failed" of what is done; a later try of the same may have done it. */
function checkRefused(submits: readonly Submitted[], places: Places): string[] {
  const failed = new Map<number, Submitted>();
  for (const submit of submits) {
    for (const { n } of submit.inputs) if (submit.answer.kind === "failed") failed.set(n, submit);
  }
  for (const { inputs, answer } of submits) {
    for (const { n } of inputs) if (answer.kind !== "failed") failed.delete(n);
  }
  return [...failed].flatMap(([n, { client, answer }]) => {
    const job = places.get(n);
    if (!job || answer.kind === "ok") return [];
    const submit = `the submit of input ${n} by ${client} was answered "${answer.why}"`;
    return [`P5: ${submit}, yet it is in job ${job.id}`];
  });
}

function checkInputs(name: string, inputs: readonly Input[], job: ReplayedJob): string[] {
  if (inputs.length !== job.inputs.length) {
    const counts = `${inputs.length} inputs, job ${job.id} in the journal has ${job.inputs.length}`;
    return [`P1: ${name} has ${counts}`];
  }
  const wrong = inputs.findIndex(({ n, ms, failing, gives, stored }, task) => {
    const kept = job.inputs[task];
    const plain = kept?.n === n && kept.ms === ms && kept.failing === failing;
    return !plain || kept.gives !== gives || kept.stored !== stored;
  });
  return wrong < 0 ? [] : [`P1: ${name} has another input ${wrong} than job ${job.id} has`];
}

/** Work that nobody asked for. */
function strangers(submits: readonly Submitted[], places: Places): string[] {
  const known = new Set(submits.flatMap(({ inputs }) => inputs.map(({ n }) => n)));
  return [...places]
    .filter(([n]) => !known.has(n))
    .map(([n, job]) => `P1: input ${n} of job ${job.id} was submitted by nobody`);
}

function checkJob(job: ReplayedJob, { settled }: History): string[] {
  return job.tasks.flatMap((task, number) => {
    const name = `${job.id}/${number}`;
    const input = job.inputs[number];
    if (!task.outcome) {
      return settled && job.closed ? [`P1: task ${name} has no outcome in the end`] : [];
    }
    if (!input) return [];
    const { state, reason, value, index } = task.outcome;
    if (mayEndSo(reason, task)) return [];
    const expected = input.failing >= always ? "failed" : "succeeded";
    if (state !== expected) {
      return [`P1: task ${name} ${state} (${reason}) in batch ${index}; it had to end ${expected}`];
    }
    // Of what it gave checkPayloads knows more.
    if (expected === "succeeded" && input.gives !== undefined) return [];
    if (value === valueOf(job.id, number, input)) return [];
    return [`P1: the outcome of ${name} in batch ${index} has the wrong value ${value}`];
  });
}

/** Poison after three workers that died of it (W9); who cancelled is asked by checkCancels. */
function mayEndSo(reason: string, { attempts }: ReplayedTask): boolean {
  if (reason === "poison") return attempts.filter(({ end }) => end === "lost").length >= 3;
  return reason === "cancelled";
}

function checkSeen(seen: Seen, job: ReplayedJob | undefined): string[] {
  const { client, how } = seen;
  const name = `${client} (${how} of ${seen.job})`;
  if (!job) return [`P1: ${name} saw outcomes of a job that is not in the journal`];
  const violations: string[] = [];
  const tasks = new Set<number>();
  let last: SeenOutcome["at"];
  for (const one of seen.outcomes) {
    const { task, at } = one;
    if (tasks.has(task)) violations.push(`P1: ${name} saw task ${task} twice`);
    tasks.add(task);
    violations.push(...checkSeenOutcome(name, one, job));
    if (at && last && isBefore(at, last)) {
      violations.push(`P1: ${name} saw position ${at.join(".")} after ${last.join(".")}`);
    }
    last = at ?? last;
  }
  const lacking = job.tasks.findIndex((_, task) => !tasks.has(task));
  if (seen.complete && lacking >= 0) {
    violations.push(`P1: ${name} ended without task ${lacking}`);
  }
  return violations;
}

function checkSeenOutcome(name: string, seen: SeenOutcome, job: ReplayedJob): string[] {
  const { task, state, value, at, missing } = seen;
  const recorded = job.tasks[task]?.outcome;
  if (!recorded) return [`P1: ${name} saw an outcome of task ${task}, but none is recorded`];
  if (missing !== undefined) {
    return [`P1: ${name} could not read the stored result of task ${task}: ${missing}`];
  }
  const swept = recorded.attempt === 0;
  if (state !== recorded.state || (value !== recorded.value && !swept)) {
    const was = `${recorded.state} ${recorded.value}`;
    return [`P2: ${name} saw task ${task} as ${state} ${value}; recorded is ${was}`];
  }
  if (at && at[0] !== recorded.index) {
    return [`P1: ${name} saw task ${task} at ${at.join(".")}, not in batch ${recorded.index}`];
  }
  return [];
}

function isBefore(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}

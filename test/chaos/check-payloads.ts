/** P1 of contents that are stored by their hash (A1): none lost, none changed, none given to another task. */
import { storedValue } from "./history.ts";
import type { BatchRecord, Fact, History, Input } from "./history.ts";
import { nameOf, pairRuns } from "./check-workers.ts";
import type { Runs } from "./check-workers.ts";
import { sumOf } from "./payloads.ts";
import type { Replay, ReplayedJob } from "./replay.ts";

/** The journal names a stored input by its hash; whoever submitted it said what it is. */
export function withInputs({ batches, operations }: History): readonly BatchRecord[] {
  const submits = operations.filter((one) => one.kind === "submit");
  const inputs = submits.flatMap((submit) => submit.inputs);
  const known = new Map(inputs.flatMap((one) => (one.stored ? [[one.stored, one]] : [])));
  const named = (input: Input): Input => known.get(input.stored ?? "") ?? input;
  const told = (fact: Fact): Fact =>
    fact.kind === "part" ? { ...fact, inputs: fact.inputs.map(named) } : fact;
  return batches.map((batch) => ({ ...batch, facts: batch.facts.map(told) }));
}

export function checkPayloads(history: History, { jobs }: Replay): string[] {
  const runs = pairRuns(history.runs);
  return [
    ...[...runs.values()].flatMap(({ start }) => {
      const input = jobs.get(start.job)?.inputs[start.task];
      if (!input || input.sum === start.sum) return [];
      const text = `attempt ${start.attempt} of ${start.job}/${start.task}`;
      return [`P1: ${text} was given contents of sum ${start.sum}, not of ${input.sum}`];
    }),
    ...[...jobs.values()].flatMap((job) => checkResults(job, runs)),
  ];
}

function checkResults(job: ReplayedJob, runs: Runs): string[] {
  return job.tasks.flatMap(({ outcome }, task) => {
    const gives = job.inputs[task]?.gives !== undefined;
    if (!gives || outcome?.state !== "succeeded") return [];
    const { index, attempt, value } = outcome;
    const sum = runs.get(nameOf({ job: job.id, task, attempt }))?.end?.sum;
    // An attempt that never came to its end is checkWorkers' affair.
    if (sum === undefined || value === storedValue(sum) || sumOf(value) === sum) return [];
    const text = `the outcome of ${job.id}/${task} in batch ${index} is ${value}`;
    return [`P1: ${text}, attempt ${attempt} gave ${sum}`];
  });
}

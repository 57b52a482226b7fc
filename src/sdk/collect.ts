// All results of a job into one array: the hot path of a map, so a value costs one slice and one parse.

import type { OutcomeEvent } from "../client/index.ts";
import { SkeinError } from "../protocol/errors.ts";
import { OutcomeBlock, taskFailed } from "./outcomes.ts";
import type { Fetch, Outcome } from "./outcomes.ts";

/** Stored values fetched at once. */
const fetchesMax = 8;

/** Results by task; throws `task_failed` for the first task that did not succeed. */
export async function collectResults(
  job: string,
  events: AsyncIterable<OutcomeEvent>,
  fetch: Fetch,
): Promise<unknown[]> {
  const results: unknown[] = [];
  const failures: { readonly block: OutcomeBlock; readonly i: number }[] = [];
  const fetching = new Set<Promise<void>>();
  let problem: unknown;
  let count = 0;
  for await (const event of events) {
    if (event.kind === "end") continue;
    const block = new OutcomeBlock(event.block, fetch);
    const { tasks } = block.columns;
    count += tasks.length;
    for (let i = 0; i < tasks.length; i++) {
      if (!block.succeeded(i)) {
        failures.push({ block, i });
        continue;
      }
      const value = block.value(i);
      const task = tasks[i] ?? 0;
      // An array that is written far beyond its end becomes a slow dictionary: grow it step by step.
      while (results.length <= task) results.push(undefined);
      if (!(value instanceof Promise)) {
        results[task] = value;
        continue;
      }
      const fetched: Promise<void> = value
        .then((late: unknown) => void (results[task] = late))
        .catch((error: unknown) => void (problem ??= error))
        .finally(() => fetching.delete(fetched));
      fetching.add(fetched);
      if (fetching.size >= fetchesMax) await Promise.race(fetching);
      if (problem !== undefined) throw problem;
    }
  }
  await Promise.all(fetching);
  if (problem !== undefined) throw problem;
  if (failures.length > 0) throw await firstFailure(job, failures, count);
  if (results.length === count) return results;
  throw new SkeinError(
    "internal",
    `Job ${job} ended with ${count} outcomes, not one for each task.`,
  );
}

async function firstFailure(
  job: string,
  failures: readonly { readonly block: OutcomeBlock; readonly i: number }[],
  tasks: number,
): Promise<SkeinError> {
  const numberOf = ({ block, i }: (typeof failures)[number]) => block.columns.tasks[i] ?? 0;
  const first = failures.reduce((a, b) => (numberOf(b) < numberOf(a) ? b : a));
  const outcome: Outcome<unknown> = await first.block.outcome(first.i);
  return taskFailed(job, outcome, failures.length, tasks);
}

/** What the cluster itself says of a job, held against its inputs. */
import type { Outcome, Skein } from "skein";
import { resultOf } from "./ledger-tasks.ts";
import type { Work } from "./ledger-tasks.ts";
import type { Load } from "./load.ts";

/** Each task of the job has one recorded outcome with the right result (P1, P2); else sentences that say what is wrong. */
export async function wrongOutcomes(
  skein: Skein,
  id: string,
  inputs: readonly Work[],
): Promise<string[]> {
  const wrong: string[] = [];
  const job = await skein.client.job(id);
  const { state, tasks, counts } = job;
  if (state !== "succeeded" || tasks !== inputs.length || counts.succeeded !== inputs.length) {
    wrong.push(`${id} is ${state} with ${counts.succeeded} of ${tasks}, not ${inputs.length}`);
  }
  const seen = new Map<number, Outcome<string>>();
  for await (const outcome of skein.job<string>(id).outcomes()) {
    if (seen.has(outcome.task)) wrong.push(`${id}/${outcome.task} has more than one outcome`);
    seen.set(outcome.task, outcome);
  }
  for (const [task, input] of inputs.entries()) {
    const outcome = seen.get(task);
    if (outcome?.state === "succeeded" && outcome.value === resultOf(input)) continue;
    wrong.push(`${id}/${task} has the outcome ${JSON.stringify(outcome)}`);
  }
  return wrong;
}

/** As `wrongOutcomes`, of all that was submitted while no worker died: then no attempt was lost either (P3). */
export async function wrongOrLost(skein: Skein, { jobs }: Load): Promise<string[]> {
  const wrong: string[] = [];
  for (const [id, inputs] of jobs) {
    wrong.push(...(await wrongOutcomes(skein, id, inputs)));
    const { attemptsLost } = await skein.client.job(id);
    if (attemptsLost > 0) wrong.push(`${id} lost ${attemptsLost} attempts, but no worker died`);
  }
  return wrong;
}

/**
 * What must hold whatever was killed: counted at the end of the run, from three sides.
 *
 *   A1. Lost: an acknowledged task without its right outcome, as its client was told or as the cluster says now.
 *   A2. Doubled: a task with two outcomes, or a submit that became two jobs.
 *   A3. Restarted: a task whose code began twice, or that has a second attempt, though its worker lived. Of what
 *       had been ordered and not begun when a worker died a second attempt is right.
 */
import { resultOf } from "./tasks.ts";
import type { World } from "./world.ts";

export interface Audit {
  readonly jobs: number;
  readonly tasks: number;
  readonly lost: number;
  readonly doubled: number;
  readonly restarted: number;
  /** Sentences that say what is wrong; at most so many. */
  readonly wrong: readonly string[];
}

const readersMax = 8;
const sentencesMax = 20;

/** `excused`: tasks that ran on a worker when it was killed. The load has stopped. */
export async function audit(world: World, excused: ReadonlySet<string>): Promise<Audit> {
  const { load, notes, skein } = world;
  const wrong = [...load.failures];
  let lost = load.failures.length;
  let doubled = 0;
  const jobs = [...load.jobs.keys()];
  const readers = Array.from({ length: readersMax }, async () => {
    for (let id = jobs.pop(); id !== undefined; id = jobs.pop()) {
      const found = await auditJob(world, id);
      lost += found.lost;
      doubled += found.doubled;
      wrong.push(...found.wrong);
    }
  });
  await Promise.all(readers);
  const { total } = await skein.client.jobs();
  if (total !== load.jobs.size)
    wrong.push(`${total} jobs, but ${load.jobs.size} were acknowledged`);
  doubled += Math.max(0, total - load.jobs.size);
  notes.read();
  const starts = new Map<string, number>();
  for (const { task } of notes.starts) starts.set(task, (starts.get(task) ?? 0) + 1);
  const { deathsFrom } = world;
  const again = notes.starts.filter(({ attempt, at }) => attempt > 1 && at < deathsFrom);
  const second = new Set(again.map(({ task }) => task));
  for (const [task, count] of starts) if (count > 1) second.add(task);
  const restarted = [...second].filter((task) => !excused.has(task));
  for (const task of restarted) wrong.push(`${task} was started again: ${starts.get(task)}`);
  const never = load.tasks - starts.size;
  if (never !== 0) wrong.push(`${load.tasks} tasks, but ${starts.size} were started`);
  const shown = wrong.slice(0, sentencesMax);
  const { size } = load.jobs;
  return {
    jobs: size,
    tasks: load.tasks,
    lost,
    doubled,
    restarted: restarted.length,
    wrong: shown,
  };
}

/** As the cluster itself says. */
async function auditJob({ load, skein }: World, id: string) {
  const inputs = load.jobs.get(id) ?? [];
  const seen = new Map<number, unknown>();
  const wrong: string[] = [];
  let doubled = 0;
  for await (const outcome of skein.job<string>(id).outcomes()) {
    if (seen.has(outcome.task)) {
      doubled++;
      wrong.push(`${id}/${outcome.task} has more than one outcome`);
    }
    seen.set(outcome.task, outcome.state === "succeeded" ? outcome.value : outcome.state);
  }
  let lost = 0;
  for (const [task, input] of inputs.entries()) {
    if (seen.get(task) === resultOf(input)) continue;
    lost++;
    wrong.push(`${id}/${task} has the outcome ${String(seen.get(task))}`);
  }
  return { lost, doubled, wrong };
}

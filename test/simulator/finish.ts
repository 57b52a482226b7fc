// The end of a run: has everything come to rest, and is what clients find what they were promised?

import { attemptOf, isHeld, stateOf, workerOf } from "../../src/core/columns.ts";
import { unended } from "../../src/core/commands/end-job.ts";
import { explain } from "../../src/core/explain/explain.ts";
import { taskState } from "../../src/protocol/model.ts";
import { stateOfCode } from "./archive.ts";
import type { SimArchive } from "./archive.ts";
import type { AckedJob } from "./clients.ts";
import { resultOf } from "./executor.ts";
import { mastersText } from "./liveness.ts";
import type { World } from "./world.ts";

export function isSettled(world: World): boolean {
  return unsettledText(world) === "";
}

/** What has not come to rest, in words; empty when all has. */
export function unsettledText(world: World): string {
  const { shadow } = world.checker;
  const left: string[] = [];
  for (const client of world.clients) if (!client.finished) left.push(`${client.name} waits`);
  if (!world.operator.idle) left.push("the operator waits");
  for (const job of shadow.jobs.values()) {
    if (job.ended === "") left.push(`job ${job.number} has ${unended(job)} unended tasks`);
    else if (job.tasks.held > 0) left.push(`job ${job.number} holds ${job.tasks.held} attempts`);
  }
  for (const worker of world.workers) {
    const { life, plan } = worker;
    if (!life) left.push(`${plan.id} is down`);
    else if (life.agent.held > 0) left.push(`${plan.id} holds ${life.agent.held} attempts`);
    else if (life.agent.unrecorded.length > 0) left.push(`${plan.id} has unrecorded reports`);
    else if (life.agent.known > 0) left.push(`${plan.id} remembers ${life.agent.known} attempts`);
  }
  for (const master of world.masters) {
    const { id, life, disk } = master;
    if (master === world.damage?.victim) continue;
    // With standbys around, the journal grows for ever, but not by much that matters.
    const isBehind = disk.archive.watermark < world.checker.newsIndex;
    if (!life?.parts) left.push(`${id} is down`);
    else if (isBehind) left.push(`the archive of ${id} is behind`);
  }
  if (!world.leader) left.push("nobody leads");
  return left.join(", ");
}

/** For people who look at a run that does not end. */
export function stuckText(world: World): string {
  const { shadow } = world.checker;
  const lines: string[] = [];
  for (const job of shadow.jobs.values()) {
    for (let task = 0; task < job.tasks.count; task++) {
      if (stateOf(job.tasks, task) >= taskState.succeeded && !isHeld(job.tasks, task)) continue;
      const { state, verdict } = explain(shadow, job, task, shadow.time);
      const at = `attempt ${attemptOf(job.tasks, task)} on ${workerOf(job.tasks, task)}`;
      lines.push(`  ${job.number}/${task} (${job.spec.task}) ${state}, ${at}: ${verdict}`);
      if (lines.length > 20) break;
    }
  }
  for (const { number, info, state, term, active, ahead, used } of shadow.workers.values()) {
    const text = JSON.stringify({ state, term, active: [...active], ahead, used: [...used] });
    lines.push(`  worker ${number} ${info.id} of ${shadow.term}: ${text}`);
  }
  for (const { plan, life } of world.workers) {
    const { agent } = life ?? {};
    lines.push(
      `  agent ${plan.id}: term ${agent?.term} leader ${agent?.leader} held ${agent?.held} known ` +
        `${agent?.known} unrecorded ${agent?.unrecorded.length} draining ${agent?.draining}`,
    );
  }
  lines.push(mastersText(world));
  return lines.join("\n");
}

export function finalChecks(world: World): void {
  const { shadow } = world.checker;
  for (const master of world.masters) {
    const { id, life } = master;
    if (master === world.damage?.victim) continue;
    life?.parts?.loop.peek((state) => {
      // Nothing may have been compared since the bit flipped.
      if (world.corruption?.has(life) === true) return;
      if (state.index <= world.store.head.index) world.replicas.stands(state, `${id} in the end`);
    });
  }
  for (const queue of shadow.queues.values()) {
    const { name, waiting, assigned, jobs } = queue;
    const empty = waiting === 0 && assigned === 0 && jobs === 0;
    world.check(empty, `I23: queue ${name} is not empty in the end`);
    for (const [amount, used] of queue.used) {
      world.check(used === 0, `I23: queue ${name} uses ${used} ${amount} in the end`);
    }
  }
  for (const worker of shadow.workers.values()) {
    for (const [amount, used] of worker.used) {
      world.check(used === 0, `I23: ${worker.info.id} uses ${used} ${amount} in the end`);
    }
  }
  world.check(shadow.concurrency.size === 0, "I23: concurrency keys are left in the end");
  world.check(shadow.classes.size === 0, "I23: classes are left in the end");
  for (const { life, plan } of world.workers) {
    for (const [amount, used] of life?.agent.used ?? []) {
      world.check(used === 0, `I23: the agent of ${plan.id} uses ${used} ${amount} in the end`);
    }
  }
  const whole = world.masters.filter(
    (master) => !master.disk.archive.lacks && master !== world.damage?.victim,
  );
  world.check(whole.length > 0, "P1: no archive is whole in the end");
  for (const { disk } of whole) checkClients(world, disk.archive);
  // T1 of docs/events.md: rows are made of what an archive is given, which is the same on every master.
  const [first, ...others] = whole.map(({ disk }) => disk.archive);
  for (const other of others) {
    const at = first?.differsAt(other);
    world.check(at === undefined, `T1: two archives were given different things at ${at}`);
  }
}

function checkClients(world: World, archive: SimArchive): void {
  const ends = archive.ends();
  const outcomes = archive.outcomes();
  for (const client of world.clients) {
    for (const job of client.acked) {
      const end = ends.get(job.number);
      world.check(end !== undefined, `P1: job ${job.number} is not in the archive as ended`);
      const failures = checkResults(world, job, outcomes);
      const memory = world.checker.jobs.get(job.number);
      world.check(memory?.ended === end, `P1: job ${job.number} is ${end}, was ${memory?.ended}`);
      if (end === "succeeded") world.check(failures === 0, `job ${job.number} succeeded in spite`);
    }
  }
}

/** Each acknowledged task has one outcome, and the right one. Returns how many did not succeed. */
function checkResults(
  world: World,
  job: AckedJob,
  outcomes: ReturnType<SimArchive["outcomes"]>,
): number {
  const inputs = job.plan.parts.slice(0, job.parts).flat();
  let failures = 0;
  for (const [task, input] of inputs.entries()) {
    const key = `${job.number}/${task}`;
    const outcome = outcomes.get(key);
    if (!outcome) world.fail(`P1: task ${key} was acknowledged and has no outcome`);
    if (stateOfCode(outcome.code) !== "succeeded") {
      failures++;
      continue;
    }
    const value = new TextDecoder().decode(outcome.value);
    const expected = resultOf(job.id, task, input);
    world.check(value === expected, `P1: task ${key} has result ${value}, not ${expected}`);
    world.check(!input.kill, `${key} kills its worker and succeeded`);
  }
  return failures;
}

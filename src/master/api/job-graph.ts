// GET …/graph: the jobs that hang together with one, by who waits for whom.

import { unended } from "../../core/commands/end-job.ts";
import type { Job, State } from "../../core/state.ts";
import type { JobView } from "../../protocol/views.ts";
import type { JobGraphView } from "../../protocol/picture-views.ts";
import { countsOf, jobStateOf } from "../views.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { findJob, seeJob, viewOfRow } from "./lookup.ts";

type Node = JobGraphView["nodes"][number];

const nodesMax = 500;

export async function graph(context: ApiContext, call: Call<"graph">): Promise<JobGraphView> {
  const number = await findJob(context, call.params.job);
  return seeJob(
    context,
    number,
    (job, state) => around(state, job),
    // What has left the state is shown alone: those it waited for are gone with it.
    (row) => ({ nodes: [nodeOfView(viewOfRow(row))], edges: [], partial: null }),
  );
}

/** All that can be reached over edges in either direction, nearest first. */
function around(state: State, start: Job): JobGraphView {
  const waiting = waitingFor(state);
  const found = new Map<number, Job>([[start.number, start]]);
  const edges: JobGraphView["edges"] = [];
  let cut = false;
  for (const job of found.values()) {
    for (const { job: id, mode } of job.spec.after) edges.push({ from: id, to: job.id, mode });
    const before = job.spec.after.map(({ job: id }) =>
      state.jobs.get(state.jobNumbers.get(id) ?? 0),
    );
    for (const next of [...before, ...(waiting.get(job.id) ?? [])]) {
      if (!next || found.has(next.number)) continue;
      if (found.size < nodesMax) found.set(next.number, next);
      else cut = true;
    }
  }
  const nodes = [...found.values()].map(nodeOf);
  const shown = new Set(nodes.map(({ job }) => job));
  const partial = cut ? `Only the ${nodesMax} nearest jobs are shown.` : null;
  return { nodes, edges: edges.filter(({ from }) => shown.has(from)), partial };
}

/** By the id of the job waited for. An ended job has no dependents any more, but those still name it. */
function waitingFor(state: State): Map<string, Job[]> {
  const waiting = new Map<string, Job[]>();
  for (const job of state.jobs.values()) {
    for (const { job: id } of job.spec.after) {
      const others = waiting.get(id);
      if (others) others.push(job);
      else waiting.set(id, [job]);
    }
  }
  return waiting;
}

function nodeOf(job: Job): Node {
  const { failed, cancelled } = countsOf(job);
  const { count } = job.tasks;
  return {
    job: job.id,
    task: job.spec.task,
    state: jobStateOf(job),
    tasks: count,
    ended: count - unended(job),
    failed: failed + cancelled,
  };
}

function nodeOfView({ id, task, state, tasks, counts }: JobView): Node {
  const { succeeded, failed, cancelled } = counts;
  const ended = succeeded + failed + cancelled;
  return { job: id, task, state, tasks, ended, failed: failed + cancelled };
}

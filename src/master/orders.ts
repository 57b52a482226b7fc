// Effects as messages: what a worker is told about its attempts. Pure: state in, messages out.

import { partOf } from "../core/tasks.ts";
import type { Job, State } from "../core/state.ts";
import { present } from "../core/invariants.ts";
import { limits } from "../protocol/limits.ts";
import type { JobDescriptor, MasterStart, StartRange } from "../protocol/messages.ts";

export interface Started {
  readonly job: number;
  readonly first: number;
  readonly count: number;
  readonly attempt: number;
  readonly fence: number;
}

export function describeJob(job: Job): JobDescriptor {
  const { spec } = job;
  return {
    number: job.number,
    id: job.id,
    task: spec.task,
    code: spec.code,
    needs: spec.needs,
    timeouts: spec.timeouts,
    killGraceMs: limits.killGraceMs,
    labels: spec.labels,
    attemptsMax: spec.retry.attempts,
    finalErrors: spec.retry.finalErrors,
    ...(spec.traceparent === undefined ? {} : { traceparent: spec.traceparent }),
  };
}

/**
 * Start messages for one worker, in the order given: each within about 1 MiB of inputs, each with what must be
 * known of the jobs that it names, so that neither side remembers what the other has forgotten.
 */
export function startMessages(state: State, starts: readonly Started[]): MasterStart[] {
  const messages: MasterStart[] = [];
  let jobs: JobDescriptor[] = [];
  let ranges: StartRange[] = [];
  let bytes = 0;
  const told = new Set<number>();
  const flush = () => {
    if (ranges.length > 0) messages.push({ kind: "start", term: state.term, jobs, ranges });
    jobs = [];
    ranges = [];
    bytes = 0;
    told.clear();
  };
  for (const start of starts) {
    const job = state.jobs.get(start.job);
    if (!job) continue;
    for (const range of rangesOf(job, start)) {
      if (!told.has(job.number)) jobs.push(describeJob(job));
      told.add(job.number);
      ranges.push(range);
      bytes += range.inputs.length;
      if (bytes > limits.batchBytesMax) flush();
    }
  }
  flush();
  return messages;
}

/** A start, cut at the borders of parts, with the lines of its inputs. */
function rangesOf(job: Job, start: Started): StartRange[] {
  const ranges: StartRange[] = [];
  const over = start.first + start.count;
  let first = start.first;
  while (first < over) {
    const part = present(partOf(job, first), `part of ${job.id}/${first}`);
    const end = Math.min(over, part.first + part.count);
    const offsets = present(part.offsets, `inputs of ${job.id}/${first}`);
    const from = offsets[first - part.first] ?? 0;
    const to = offsets[end - part.first] ?? 0;
    const inputs = present(part.bytes, `inputs of ${job.id}/${first}`).subarray(from, to);
    ranges.push({
      job: job.number,
      first,
      count: end - first,
      attempt: start.attempt,
      fence: start.fence,
      inputs,
    });
    first = end;
  }
  return ranges;
}

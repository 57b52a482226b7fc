// POST /v1/jobs:cancel, POST /v1/jobs:retry: one change to all jobs that fit a filter. What was looked at is what is
// changed: the jobs are listed once, counted against what was expected, and then changed one by one, each with its own
// answer. Nothing is undone: what failed is named, and the same request can be sent again.

import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { BulkView, JobView } from "../../protocol/views.ts";
import { ask } from "../context.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { listJobs } from "./job-list.ts";
import { requestKey } from "./request-key.ts";
import { retry } from "./retry.ts";
import type { KeyOf } from "./retry.ts";

/** Requests that wait for the loop at one time: they share batches. */
const atOnce = 64;
/** A retry reads inputs: not too many at once. */
const retriesAtOnce = 4;

export async function cancelJobs(
  context: ApiContext,
  { body }: Call<"cancelJobs">,
): Promise<BulkView> {
  const { master } = context;
  const fitting = await fittingJobs(context, body, ["open", "waiting", "running"]);
  if (body.dryRun) return planned(fitting);
  const { filter, reason } = body;
  master.log.info("jobs are cancelled", { filter, reason, jobs: fitting.length });
  return changeAll(fitting, atOnce, async ({ number }) => {
    await ask(master, { kind: "cancelJob", job: number, reason: "cancelled" });
    return {};
  });
}

export async function retryJobs(
  context: ApiContext,
  { body, request }: Call<"retryJobs">,
): Promise<BulkView> {
  const fitting = await fittingJobs(context, body, ["failed", "cancelled"]);
  if (body.dryRun) return planned(fitting);
  const { traceparent: trace } = request.headers;
  return changeAll(fitting, retriesAtOnce, async ({ id, number }) => {
    const keyOf: KeyOf = (scope, content) => {
      const key = requestKey({ request, own: undefined, scope, content });
      // One request makes many jobs: each has a key of its own, made of the one that was sent.
      if (key === null) return null;
      const text = key.kind === "user" ? key.key : `${key.client}:${key.n}`;
      return { kind: "user", key: `${scope} all/${text}/${id}`, fingerprint: key.fingerprint };
    };
    const { id: job } = await retry(context, number, { keyOf, trace });
    return { job };
  });
}

async function fittingJobs(
  context: ApiContext,
  {
    filter,
    expectedCount,
  }: { readonly filter: string; readonly expectedCount?: number | undefined },
  states: readonly JobView["state"][],
): Promise<readonly JobView[]> {
  if (filter.trim() === "") {
    throw new SkeinError("invalid", "filter: an empty one would be all jobs.", {
      hint: "Say which jobs; of all of them: state:unfinished, or state:failed,cancelled.",
    });
  }
  const fitting: JobView[] = [];
  let cursor: string | undefined;
  do {
    const page = await listJobs(context, { filter, limit: 1_000, cursor }, states);
    if (cursor === undefined) checkCount(page.total, expectedCount);
    fitting.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  // Some may have ended between two pages.
  checkCount(fitting.length, expectedCount);
  return fitting;
}

function checkCount(count: number, expected: number | undefined): void {
  if (expected !== undefined && count !== expected) {
    const message = `${count} jobs fit, not ${expected}: nothing was done.`;
    const hint = `Look at what fits now; then ask again with expectedCount ${count}.`;
    throw new SkeinError("count_differs", message, { hint });
  }
  if (count <= limits.bulkJobsMax) return;
  const most = limits.bulkJobsMax.toLocaleString("en-US");
  throw new SkeinError("too_large", `${count} jobs fit; at most ${most} are changed at once.`, {
    hint: "Narrow the filter, for example by created<1h.",
  });
}

function planned(jobs: readonly JobView[]): BulkView {
  const items = jobs.map(({ id }) => ({ id, ok: true }));
  return { matched: jobs.length, done: 0, dryRun: true, items };
}

type Item = BulkView["items"][number];

async function changeAll(
  jobs: readonly JobView[],
  lanes: number,
  change: (job: JobView) => Promise<{ readonly job?: string }>,
): Promise<BulkView> {
  const items: Item[] = [];
  const rest = jobs.entries();
  const lane = async () => {
    for (const [place, job] of rest) items[place] = await tried(job, change);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, jobs.length) }, lane));
  const done = items.filter(({ ok }) => ok).length;
  return { matched: jobs.length, done, dryRun: false, items };
}

async function tried(
  job: JobView,
  change: (job: JobView) => Promise<{ readonly job?: string }>,
): Promise<Item> {
  const { id } = job;
  try {
    return { id, ok: true, ...(await change(job)) };
  } catch (error) {
    if (!(error instanceof SkeinError)) throw error;
    return { id, ok: false, code: error.code, message: error.message };
  }
}

// GET …/logs: what an attempt printed, from whoever has it (log-trail.ts), or what of it is looked for (log-search.ts).

import { attemptOf, stateOf, workerOf } from "../../core/columns.ts";
import type { State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { taskState } from "../../protocol/model.ts";
import { look } from "../context.ts";
import { notLeading } from "../not-leading.ts";
import { stream } from "./body-stream.ts";
import type { BodyStream } from "./body-stream.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { isSearch, LogSearch } from "./log-search.ts";
import type { LogWish } from "./log-search.ts";
import { LogTrail } from "./log-trail.ts";
import type { Ran } from "./log-trail.ts";
import { findJob, seeJob } from "./lookup.ts";
import { noSuchTask } from "./tasks.ts";

export async function logs(context: ApiContext, call: Call<"logs">): Promise<Answer<"logs">> {
  const { params, query, reply } = call;
  const job = await findJob(context, params.job);
  const ran = await whereItRan(context, job, params.task, query.attempt);
  const worker = await look(context.master, (state) => state.workerNumbers.get(ran.worker));
  const { stream: which, grep = "", since = 0, tail } = query;
  const wish: LogWish = { stream: which, grep, since, tail };
  const mayCome = () => look(context.master, (state) => isComing(state, worker));
  const trail = (from: number, follow: boolean) => {
    const nothing = async (why: string, away: boolean) => {
      // After an election workers come one by one, and one that fell silent may still come back.
      const waits = away && context.master.loop.leads && (await mayCome());
      if (waits) return new SkeinError("worker_away", sentence(why));
      return notThere(context, ran, params.task, why);
    };
    return new LogTrail(context, {
      ran,
      task: params.task,
      from,
      follow,
      worker,
      mayCome,
      nothing,
    });
  };
  const follow = query.follow === "1";
  // The last lines are known when all is read that is there; only then what comes is followed.
  const first = trail(query.from, follow && tail === undefined);
  const lacks = await first.begin(reply.raw);
  const type = "application/octet-stream";
  const headers = {
    "skein-attempt": ran.attempt,
    "x-accel-buffering": "no",
    ...(lacks !== undefined && { "skein-log-missing": lacks }),
  };
  return stream(context, { reply, type, headers }, async (body) => {
    if (!isSearch(wish)) return cutUnless(body, await first.copy(body));
    const search = new LogSearch(wish, query.from, body);
    let whole = await first.copy(search);
    if (whole && follow && tail !== undefined) {
      await search.caughtUp();
      const rest = trail(first.position, true);
      await rest.begin(reply.raw);
      whole = await rest.copy(search);
    }
    if (whole) await search.end();
    cutUnless(body, whole);
  });
}

/** What is not whole must not look so: the reader's connection is cut, and it can go on from there. */
function cutUnless(body: BodyStream, whole: boolean): void {
  if (!whole) body.stop();
}

function isComing(state: State, worker: number | undefined): boolean {
  const known = worker === undefined ? undefined : state.workers.get(worker);
  return known !== undefined && known.state !== "lost" && known.state !== "gone";
}

function sentence(problem: string): string {
  return `${problem.charAt(0).toUpperCase()}${problem.slice(1)}.`;
}

function notThere(
  { master }: ApiContext,
  { job, attempt }: Ran,
  task: number,
  why: string,
): SkeinError {
  if (!master.loop.leads) return notLeading(master);
  const message = `There is no log of attempt ${attempt} of ${job}/${task}: ${why}.`;
  return new SkeinError("not_found", message, { hint: "`skein task get` lists its attempts." });
}

async function whereItRan(
  context: ApiContext,
  job: number,
  task: number,
  wanted: number | undefined,
): Promise<Ran> {
  const live = await seeJob<Ran>(
    context,
    job,
    (found, state) => {
      if (task >= found.tasks.count) throw noSuchTask(found.id, task);
      const worker = state.workers.get(workerOf(found.tasks, task))?.info.id ?? "";
      const live = stateOf(found.tasks, task) === taskState.assigned;
      return { job: found.id, attempt: attemptOf(found.tasks, task), worker, live };
    },
    ({ id }) => ({ job: id, attempt: 0, worker: "", live: false }),
  );
  if (live.worker !== "" && (wanted ?? live.attempt) === live.attempt) return live;
  const { outcome, attempts } = await context.master.archive.task(job, task);
  const known = outcome ? [...attempts, outcome] : attempts;
  const ran = known.filter(({ worker }) => worker !== "").toSorted((a, b) => a.attempt - b.attempt);
  const found = wanted === undefined ? ran.at(-1) : ran.find(({ attempt }) => attempt === wanted);
  if (found) return { job: live.job, attempt: found.attempt, worker: found.worker, live: false };
  const what = wanted === undefined ? "It was not started" : `There is no attempt ${wanted}`;
  throw new SkeinError("not_found", `${what}: task ${live.job}/${task} has no log to show.`);
}

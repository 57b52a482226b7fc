// GET …/logs: what an attempt printed, fetched from the worker that ran it. Nothing is kept here: a reader that is
// slower than its worker has the worker stop, and go on from where the reader is.

import type { ServerResponse } from "node:http";
import { attemptOf, workerOf } from "../../core/columns.ts";
import type { State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { look } from "../context.ts";
import type { LogAsk } from "../log-relay.ts";
import { notLeading } from "../not-leading.ts";
import { stream } from "./body-stream.ts";
import type { BodyStream } from "./body-stream.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { findJob, seeJob } from "./lookup.ts";
import { noSuchTask } from "./tasks.ts";

interface Ran {
  readonly job: string;
  readonly attempt: number;
  /** Its id; "" when nobody knows it any more. */
  readonly worker: string;
}

export async function logs(context: ApiContext, call: Call<"logs">): Promise<Answer<"logs">> {
  const { params, query, reply } = call;
  const job = await findJob(context, params.job);
  const ran = await whereItRan(context, job, params.task, query.attempt);
  const worker = await look(context.master, (state) => state.workerNumbers.get(ran.worker));
  if (worker === undefined) {
    const why = `worker ${ran.worker || "?"}, which ran it, is unknown here`;
    throw notThere(context, ran, params.task, why);
  }
  const { stream: which, from } = query;
  const ask: LogAsk = {
    worker,
    job: ran.job,
    task: params.task,
    attempt: ran.attempt,
    stream: which,
    from,
    follow: query.follow === "1",
  };
  const pieces = new LogPieces(context, ask);
  // The worker may say at once that it has no such log: then there is a problem to answer, and no stream.
  const problem = await pieces.begun(reply.raw);
  if (problem !== undefined) {
    // After an election workers come one by one, and one that fell silent may still come back.
    const back = pieces.away && (await look(context.master, (state) => mayCome(state, worker)));
    if (back && context.master.loop.leads) throw new SkeinError("worker_away", sentence(problem));
    throw notThere(context, ran, params.task, problem);
  }
  const type = "application/octet-stream";
  const headers = { "skein-attempt": ran.attempt, "x-accel-buffering": "no" };
  return stream(context, { reply, type, headers }, (body) => pieces.copy(body));
}

function mayCome(state: State, worker: number): boolean {
  const known = state.workers.get(worker);
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
      return { job: found.id, attempt: attemptOf(found.tasks, task), worker };
    },
    ({ id }) => ({ job: id, attempt: 0, worker: "" }),
  );
  if (live.worker !== "" && (wanted ?? live.attempt) === live.attempt) return live;
  const { outcome, attempts } = await context.master.archive.task(job, task);
  const known = outcome ? [...attempts, outcome] : attempts;
  const ran = known.filter(({ worker }) => worker !== "").toSorted((a, b) => a.attempt - b.attempt);
  const found = wanted === undefined ? ran.at(-1) : ran.find(({ attempt }) => attempt === wanted);
  if (found) return { job: live.job, attempt: found.attempt, worker: found.worker };
  const what = wanted === undefined ? "It was not started" : `There is no attempt ${wanted}`;
  throw new SkeinError("not_found", `${what}: task ${live.job}/${task} has no log to show.`);
}

type ResponseEvents = Pick<ServerResponse, "on" | "off">;

/** The bytes of one log, in order, no more of them in memory than a reader may keep waiting. */
class LogPieces {
  readonly #context: ApiContext;
  readonly #ask: LogAsk;
  #next: number;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #stop = () => {};
  #paused = false;
  #ended = false;
  #problem: string | undefined;
  #away = false;
  #wake = () => {};

  constructor(context: ApiContext, ask: LogAsk) {
    this.#context = context;
    this.#ask = ask;
    this.#next = ask.from;
    this.#follow();
  }

  /** Whether the problem is that the worker is not here. */
  get away(): boolean {
    return this.#away;
  }

  /** Resolves with the first word: a problem, or undefined when there is something to read or to wait for. */
  async begun(response: ResponseEvents): Promise<string | undefined> {
    if (this.#pieces.length > 0 || this.#ended) return this.#problem;
    const gone = () => this.#end("its reader has gone");
    response.on("close", gone);
    // A followed log of an attempt that prints nothing has no first word: do not wait for it.
    const timer = this.#ask.follow ? setTimeout(() => this.#wake(), firstWordMs) : undefined;
    await this.#news();
    clearTimeout(timer);
    response.off("close", gone);
    return this.#pieces.length > 0 ? undefined : this.#problem;
  }

  async copy(body: BodyStream): Promise<void> {
    body.onStop(() => this.#end("its reader has gone"));
    for (;;) {
      const pieces = this.#pieces;
      this.#pieces = [];
      this.#bytes = 0;
      if (pieces.length > 0) await body.write(Buffer.concat(pieces));
      else if (this.#ended) return this.#finish(body);
      else if (this.#paused) this.#follow();
      else {
        body.begin();
        await this.#news();
      }
    }
  }

  #finish(body: BodyStream): void {
    // What is not whole must not look so: the reader's connection is cut, and it can go on from there.
    if (this.#problem !== undefined) body.stop();
  }

  #follow(): void {
    this.#paused = false;
    const ask = { ...this.#ask, from: this.#next };
    const stop = this.#context.master.logs.follow(ask, {
      onChunk: (offset, bytes) => this.#take(offset, bytes),
      onEnd: (problem, away) => this.#end(problem, away),
    });
    if (this.#ended) stop();
    else this.#stop = stop;
  }

  #take(offset: number, bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    this.#next = offset + bytes.length;
    // Positions count both streams: only where both are sent is it known where this one stands.
    const mayPause = this.#ask.stream === "both";
    if (this.#bytes > limits.readerBytesMax && mayPause) this.#pause();
    else if (this.#bytes > limits.readerBytesMax * 8) this.#end("its reader is too slow");
    this.#wake();
  }

  #pause(): void {
    this.#paused = true;
    this.#stop();
  }

  #end(problem?: string, away = false): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#away = away;
    this.#problem = problem;
    this.#stop();
    this.#wake();
  }

  #news(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

const firstWordMs = 200;

// skein watch [JOB]: the cluster, or one job, as it is now, until Ctrl-C or the job's end.

import type { Command } from "commander";
import { createClient, fetchTransport, SkeinError } from "../../client/index.ts";
import type { Client } from "../../client/index.ts";
import { delay } from "../../lib/abort.ts";
import { apiVersion } from "../cli.ts";
import type { Cli } from "../cli.ts";
import { findCluster } from "../connection.ts";
import type { ClusterOptions } from "../connection.ts";
import { exitCodes } from "../exit-codes.ts";
import { duration } from "../format.ts";
import { clusterOptions, described, jobArgument, jsonOption } from "../options.ts";
import { doneTasks, hasEnded } from "../views.ts";
import { clusterFrame, clusterLine, gridRowsMax, jobFrame, jobLine } from "../watch/frames.ts";
import type { JobSeen } from "../watch/frames.ts";
import { Screen, sizeOf } from "../watch/screen.ts";
import type { Size } from "../watch/screen.ts";

export function defineWatch(watch: Command, cli: Cli): void {
  const text =
    "The cluster, or one job, as it is now, once a second until Ctrl-C or the job's end.\n" +
    "Into a pipe or file: a line for every change.";
  described(watch, text, [
    "skein watch",
    "skein watch 4f2a",
    "skein watch 4f2a --json | jq .job.counts",
  ]);
  clusterOptions(
    jsonOption(watch, "a line of JSON for every change").argument(
      "[job]",
      "id, or the first digits of one",
      jobArgument,
    ),
  ).action(async (job: string | undefined, options: ClusterOptions) => {
    const { masters, token, hint } = await findCluster(options, cli.io.env);
    // Its trouble is drawn, not said: so it does not come from the connection of other commands.
    const client = createClient({ masters, token, retryMs: askMs, transport: fetchTransport });
    const source = job === undefined ? ofCluster(client, cli) : ofJob(client, job, cli);
    await follow(source, hint, options, cli);
  });
}

const everyMs = 1_000;
/** A master that falls silent is told of after this. */
const askMs = 2_000;
const seriesEvery = 10;
const pictureEvery = 2;
const errorsEvery = 5;
const secondsKept = 120;

/** What is watched: asked anew each time. */
interface Source {
  ask(signal: AbortSignal): Promise<Seen>;
}

interface Seen {
  /** What changes when something did. */
  readonly line: string;
  readonly document: object;
  readonly frame: (size: Size) => string[];
  /** The exit code, when there is nothing more to come. */
  readonly end?: number | undefined;
}

async function follow(
  source: Source,
  hint: string,
  { json }: ClusterOptions,
  cli: Cli,
): Promise<void> {
  const { io } = cli;
  const stop = new AbortController();
  const quit = () => stop.abort(new Error("the watch is over"));
  const stops = [io.onInterrupt(quit), io.onTerminate(quit)];
  const signal = AbortSignal.any([stop.signal, io.signal]);
  const live = io.stdout.isTTY && io.env["TERM"] !== "dumb" && !json;
  using screen = new Screen(io.stdout, cli.out);
  const show = (seen: Seen, trouble: string | undefined) => {
    if (live) {
      const lines = seen.frame(sizeOf(io.stdout));
      return screen.draw(trouble === undefined ? lines : [cli.out.red(trouble), ...lines]);
    }
    const at = new Date(io.now()).toISOString();
    if (json) cli.print(`${JSON.stringify({ apiVersion, at, ...seen.document })}\n`);
    else cli.print(`${at}  ${seen.line}\n`);
  };
  try {
    await poll(source, signal, hint, (seen, trouble, changed) => {
      if (live || changed) show(seen, trouble);
      cli.exitCode = seen.end ?? exitCodes.ok;
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    for (const undo of stops) undo();
  }
}

/** Until the end, or the signal. Trouble after the first answer is shown, and it asks again. */
async function poll(
  source: Source,
  signal: AbortSignal,
  hint: string,
  take: (seen: Seen, trouble: string | undefined, changed: boolean) => void,
): Promise<void> {
  let last: Seen | undefined;
  let since = 0;
  for (;;) {
    try {
      const seen = await source.ask(signal);
      take(seen, undefined, seen.line !== last?.line);
      if (seen.end !== undefined) return;
      [last, since] = [seen, performance.now()];
    } catch (error) {
      if (!(error instanceof SkeinError) || !passes.has(error.code) || signal.aborted) throw error;
      if (!last) throw new SkeinError(error.code, error.message, { cause: error, hint });
      const old = duration(performance.now() - since);
      take(last, `No master answers: what is shown is ${old} old.`, false);
    }
    await delay(everyMs, signal);
  }
}

/** What a new leader or a restarted master mends. */
const passes: ReadonlySet<string> = new Set([
  "unreachable",
  "not_leading",
  "stalled",
  "outcome_unknown",
  "overloaded",
]);

function ofCluster(client: Client, cli: Cli): Source {
  let asks = 0;
  let series: Awaited<ReturnType<Client["series"]>> | undefined;
  return {
    ask: async (signal) => {
      const wanted = asks++ % seriesEvery === 0;
      const [view, newer] = await Promise.all([
        client.overview({ signal }),
        wanted ? client.series({ span: "15m" }, { signal }) : series,
      ]);
      series = newer;
      return {
        line: clusterLine(view),
        document: { overview: view },
        frame: (size) => clusterFrame(view, series, size, cli.out),
      };
    },
  };
}

function ofJob(client: Client, id: string, cli: Cli): Source {
  let asks = 0;
  let before: { readonly done: number; readonly at: number } | undefined;
  let last: JobSeen | undefined;
  return {
    ask: async (signal) => {
      const job = await client.job(id, { signal });
      const turn = asks++;
      const over = hasEnded(job);
      const cells = sizeOf(cli.io.stdout).columns * gridRowsMax;
      const [grid, errors] = await Promise.all([
        over || turn % pictureEvery === 0 ? client.grid(job.id, { cells }, { signal }) : last?.grid,
        job.counts.failed > 0 && (over || turn % errorsEvery === 0)
          ? client.errors(job.id, { signal })
          : last?.errors,
      ]);
      const at = performance.now();
      const done = doneTasks(job);
      const rate = before
        ? ((done - before.done) / Math.max(1, at - before.at)) * 1_000
        : undefined;
      before = { done, at };
      const ended = [...(last?.ended ?? []), ...(rate === undefined ? [] : [rate])];
      const seen: JobSeen = { job, grid, errors, ended: ended.slice(-secondsKept) };
      last = seen;
      const code = job.state === "succeeded" ? exitCodes.ok : exitCodes.failed;
      return {
        line: jobLine(job),
        document: { job },
        frame: (size) => jobFrame(seen, size, cli.io.now(), cli.out),
        end: over ? code : undefined,
      };
    },
  };
}

/**
 * The main job: render a film on a cluster, and lose a worker on the way, and the leader too if asked.
 *
 * Starts masters and workers as processes, maps a path tracer over the tiles of all frames, kills a worker with
 * SIGKILL near the half, then the master that leads, reduces the tiles to one GIF, and checks what came out. The
 * summary is read back from the cluster.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { connect } from "skein";
import type { JobHandle, JobView, Skein } from "skein";
import { killLeader, killWorker, plural } from "./blows.ts";
import type { Blow } from "./blows.ts";
import { gapOf } from "./gap.ts";
import type { Gap } from "./gap.ts";
import { parseOptions, usage } from "./options.ts";
import type { DemoOptions } from "./options.ts";
import { ProgressLine } from "./progress-line.ts";
import { assembleFilm, renderTileTask } from "./tasks.ts";
import { tilesOf } from "./tasks-core.ts";
import { checkFrames, checkOutcomes } from "./verify.ts";

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") {
    console.log(usage);
    return 0;
  }
  const dataDir = await mkdtemp(join(tmpdir(), "skein-film-"));
  try {
    return await film(options, dataDir);
  } finally {
    if (options.keep) console.log(`The cluster's data is in ${dataDir}`);
    else await rm(dataDir, { recursive: true, force: true });
  }
}

async function film(options: DemoOptions, dataDir: string): Promise<number> {
  const { frames, size } = options.film;
  const tiles = tilesOf(options.film);
  console.log(`A film of ${frames} frames, ${size}×${size}: ${tiles.length} tiles to render.`);
  await using skein = await connect({
    dataDir,
    workers: options.workers,
    masters: options.masters,
  });
  const masters = options.masters === 1 ? "A master" : `${options.masters} masters`;
  console.log(`${masters} and ${options.workers} workers run on this machine.`);
  const began = performance.now();
  const map = await skein.map(renderTileTask, tiles, { queue: "film", labels: { film: "bunny" } });
  const leaderBlow = { at: 0.6, fall: killLeader };
  const blows = [{ at: 0.4, fall: killWorker }, ...(options.killLeader ? [leaderBlow] : [])];
  const [worker = "?", master] = await watch(skein, map, tiles.length, blows);
  const reduce = await skein.submit(assembleFilm, { tiles: map.outputs }, { queue: "film" });
  const { file } = await reduce.result();
  const wallMs = performance.now() - began;
  const path = resolve(options.output);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, Buffer.from(file, "base64"));
  const gap = master === undefined ? undefined : await gapOf(skein, map, worker);
  const problems = [
    ...(await checkOutcomes(map, tiles.length)),
    ...(gap && gap.restarted > 0
      ? [`${gap.restarted} attempts were restarted by the new leader`]
      : []),
    ...checkFrames(Buffer.from(file, "base64"), frames),
  ];
  const run = { wallMs, path, worker, master, gap };
  summarise(await map.view(), await skein.job(reduce.id).view(), run);
  for (const problem of problems) console.log(`✖ ${problem}`);
  if (problems.length > 0) return 1;
  const kept = gap ? ", no running attempt was restarted by the leader's death" : "";
  console.log(`✔ every task has one outcome, every frame is in its place${kept}`);
  return 0;
}

/** Shows the map until it has ended; each blow falls when its time has come. Returns whom they hit. */
async function watch(
  skein: Skein,
  map: JobHandle<unknown>,
  total: number,
  blows: readonly Blow[],
): Promise<string[]> {
  const line = new ProgressLine(total);
  const hit: string[] = [];
  for await (const progress of map.progress({ every: 200 })) {
    line.show(progress);
    const blow = blows[hit.length];
    if (blow === undefined || progress.done < total * blow.at) continue;
    const { id, text } = await blow.fall(skein);
    hit.push(id);
    line.note(text);
  }
  line.end();
  return hit;
}

interface Run {
  readonly wallMs: number;
  readonly path: string;
  readonly worker: string;
  /** The master that was killed, if one was, and what that cost. */
  readonly master: string | undefined;
  readonly gap: Gap | undefined;
}

function summarise(map: JobView, reduce: JobView, run: Run): void {
  const runMs = map.runMs + reduce.runMs;
  const lost = plural(map.attemptsLost + reduce.attemptsLost, "attempt");
  const rows = [
    [
      "tasks",
      `${map.tasks + reduce.tasks} (${map.counts.succeeded + reduce.counts.succeeded} succeeded)`,
    ],
    ["attempts", `${map.attempts + reduce.attempts}`],
    ["lost with a worker", `${lost} on ${run.worker}, restarted elsewhere`],
    ...(run.gap ? gapRows(run.master ?? "?", run.gap) : []),
    ["wall time", `${(run.wallMs / 1000).toFixed(1)} s`],
    ["run time of all tasks", `${(runMs / 1000).toFixed(1)} s`],
    ["speed-up", `${(runMs / run.wallMs).toFixed(2)} ×`],
    ["film", run.path],
  ];
  console.log();
  for (const [name = "", value = ""] of rows) console.log(`  ${name.padEnd(22)}${value}`);
  console.log();
}

function gapRows(master: string, gap: Gap): string[][] {
  const { leader, term, ms, electedMs, ranThrough, restarted } = gap;
  return [
    ["leader killed", `${master}; ${leader} leads in term ${term}`],
    ["gap", `${ms} ms from the last outcome before to the first start after`],
    ["", `(${leader} was elected after ${electedMs} ms)`],
    ["ran through it", `${plural(ranThrough, "attempt")}; ${restarted} restarted`],
  ];
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? `error: ${error.message}` : error);
  return 1;
});

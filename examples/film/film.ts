/**
 * The main job: render a film on a cluster, and lose a worker on the way.
 *
 * Starts one master and some workers as processes, maps a path tracer over the tiles of all frames, kills a
 * worker with SIGKILL at the half, reduces the tiles to one GIF, and checks what came out. The summary is
 * read back from the cluster.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { connect } from "skein";
import type { JobHandle, JobView, Skein } from "skein";
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
  await using skein = await connect({ dataDir, workers: options.workers });
  console.log(`A master and ${options.workers} workers run on this machine.`);
  const began = performance.now();
  const map = await skein.map(renderTileTask, tiles, { queue: "film", labels: { film: "bunny" } });
  const victim = await watch(skein, map, tiles.length);
  const reduce = await skein.submit(assembleFilm, { tiles: map.outputs }, { queue: "film" });
  const { file } = await reduce.result();
  const wallMs = performance.now() - began;
  const path = resolve(options.output);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, Buffer.from(file, "base64"));
  const problems = [
    ...(await checkOutcomes(map, tiles.length)),
    ...checkFrames(Buffer.from(file, "base64"), frames),
  ];
  summarise(await map.view(), await skein.job(reduce.id).view(), { wallMs, path, victim });
  for (const problem of problems) console.log(`✖ ${problem}`);
  if (problems.length > 0) return 1;
  console.log(`✔ every task has one outcome, every frame is in its place`);
  return 0;
}

/** Shows the map until it has ended; kills a worker when half is done. Returns the worker's id. */
async function watch(skein: Skein, map: JobHandle<unknown>, total: number): Promise<string> {
  const line = new ProgressLine(total);
  let victim = "";
  for await (const progress of map.progress({ every: 200 })) {
    line.show(progress);
    if (victim !== "" || progress.done < total / 2) continue;
    const { items } = await skein.client.workers();
    const worker =
      items.find(({ state, assigned }) => state === "active" && assigned > 0) ?? items[0];
    if (!worker) throw new Error("there is no worker to kill");
    process.kill(worker.pid, "SIGKILL");
    victim = worker.id;
    line.note(
      `Killed worker ${worker.id} (process ${worker.pid}) with SIGKILL; it had ${plural(worker.assigned, "task")}.`,
    );
  }
  line.end();
  return victim;
}

function summarise(
  map: JobView,
  reduce: JobView,
  run: { readonly wallMs: number; readonly path: string; readonly victim: string },
): void {
  const runMs = map.runMs + reduce.runMs;
  const rows = [
    [
      "tasks",
      `${map.tasks + reduce.tasks} (${map.counts.succeeded + reduce.counts.succeeded} succeeded)`,
    ],
    ["attempts", `${map.attempts + reduce.attempts}`],
    [
      "lost with a worker",
      `${plural(map.attemptsLost + reduce.attemptsLost, "attempt")} on ${run.victim}, restarted elsewhere`,
    ],
    ["wall time", `${(run.wallMs / 1000).toFixed(1)} s`],
    ["run time of all tasks", `${(runMs / 1000).toFixed(1)} s`],
    ["speed-up", `${(runMs / run.wallMs).toFixed(2)} ×`],
    ["film", run.path],
  ];
  console.log();
  for (const [name = "", value = ""] of rows) console.log(`  ${name.padEnd(22)}${value}`);
  console.log();
}

function plural(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? `error: ${error.message}` : error);
  return 1;
});

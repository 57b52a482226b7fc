// npm run chaos -- [--minutes N] [--seed S] [--engine sqlite|etcd] [--nemesis name,name] [--masters N]
//   [--round-seconds N] [--trace]
//
// Rounds of seeds S, S + 1 … until the time is over. Without --nemesis each round draws its own.

import { parseArgs } from "node:util";
import { Random } from "../simulator/random.ts";
import { nemeses } from "./nemeses.ts";
import type { Nemesis, NemesisName } from "./nemeses.ts";
import { runRound } from "./round.ts";
import { whimsLibrary } from "./whims.ts";
import type { Engine } from "./world.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    engine: { type: "string" },
    nemesis: { type: "string" },
    masters: { type: "string", default: "3" },
    trace: { type: "boolean", default: false },
    "round-seconds": { type: "string", default: "20" },
  },
});

const masters = Number(values.masters);
const began = performance.now();
const endAt = began + Number(values.minutes) * 60_000;
const sum = { rounds: 0, strikes: 0, tasks: 0, terms: 0, failed: 0 };

for (let seed = Number(values.seed); sum.rounds === 0 || performance.now() < endAt; seed++) {
  const engine = engineOf(seed);
  const names = namesOf(seed, engine);
  const seconds = Number(values["round-seconds"]);
  const tell = values.trace ? (line: string) => console.log(`${clock()}  ${line}`) : undefined;
  const more = `--engine ${engine} --nemesis ${names.join(",")} --round-seconds ${seconds}`;
  const again = `  again: npm run chaos -- --seed ${seed} --masters ${masters} ${more}`;
  sum.rounds++;
  const asked = { seed, engine, nemeses: names, seconds, masters, tell };
  const round = await runRound(asked).catch((error: unknown) => {
    // As text: an error may hold on to sockets and processes, which nobody wants to see printed.
    const text = error instanceof Error ? error.stack : String(error);
    console.log(`seed ${seed}  ${engine}  ${names.join(",")}  the round broke: ${text}\n${again}`);
    return undefined;
  });
  if (!round) {
    sum.failed++;
    continue;
  }
  sum.strikes += round.strikes;
  sum.tasks += round.tasks;
  sum.terms += round.terms;
  const { strikes, tasks, terms, violations, kept } = round;
  const verdict = violations.length === 0 ? "ok" : `${violations.length} violations`;
  const counts = `${strikes} blows, ${terms} terms, ${tasks} tasks`;
  console.log(`seed ${seed}  ${engine}  ${names.join(",")}  ${counts}  ${verdict}`);
  if (violations.length === 0) continue;
  sum.failed++;
  for (const violation of violations.slice(0, 20)) console.log(`  ${violation}`);
  console.log(`  kept in ${kept}`);
  console.log(again);
}

const minutes = ((performance.now() - began) / 60_000).toFixed(1);
const { rounds, strikes, tasks, terms, failed } = sum;
console.log(
  `${rounds} rounds in ${minutes} minutes: ${strikes} blows, ${terms} terms, ${tasks} tasks; ` +
    `${failed} rounds broke a promise`,
);
// Not by itself: Node 20 turns forever in its own cleanup when sockets were reset (links.ts).
process.exit(failed === 0 ? 0 : 1);

/** Seconds since this began. */
function clock(): string {
  return ((performance.now() - began) / 1_000).toFixed(2).padStart(7);
}

/** The one asked for, or by turns. */
function engineOf(seed: number): Engine {
  const { engine } = values;
  if (engine === undefined) return seed % 2 === 0 ? "etcd" : "sqlite";
  if (engine === "sqlite" || engine === "etcd") return engine;
  throw new Error(`no engine "${engine}" here: there are sqlite and etcd`);
}

/** Those asked for, or three that the seed draws. */
function namesOf(seed: number, engine: Engine): readonly NemesisName[] {
  const fitting = Object.entries<Nemesis>(nemeses)
    .filter(([, one]) => (one.masters ?? 1) <= masters && (engine === "etcd" || !one.etcd))
    .filter(([, { whims }]) => !whims || whimsLibrary() !== undefined)
    .map(([name]) => name as NemesisName);
  const asked = values.nemesis?.split(",");
  if (!asked) {
    const random = new Random(`nemeses of ${seed}`);
    return Array.from({ length: 3 }, () => random.pick(fitting));
  }
  return asked.map((name) => {
    const known = fitting.find((one) => one === name);
    if (known) return known;
    throw new Error(`no nemesis "${name}" for this cluster: there are ${fitting.join(", ")}`);
  });
}

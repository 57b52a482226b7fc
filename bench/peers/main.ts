/** `npx tsx bench/peers/main.ts [--tasks N] [--warmup N] [--rounds N] [--only NAME] [--json]` */
import { parseArgs } from "node:util";
import type { PeerName } from "./model.ts";
import { runPeers } from "./peers.ts";
import { formatPeers } from "./table.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "20000" },
    warmup: { type: "string", default: "5000" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", multiple: true },
    json: { type: "boolean", default: false },
  },
});

const rows = await runPeers({
  tasks: parseCount("tasks", values.tasks, 1),
  warmup: parseCount("warmup", values.warmup, 0),
  rounds: parseCount("rounds", values.rounds, 1),
  ...(values.only === undefined ? {} : { only: values.only.map(parseName) }),
  log: (line) => console.error(line),
});
console.log(values.json ? JSON.stringify(rows, null, 2) : formatPeers(rows));

function parseCount(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`--${name} must be a whole number of at least ${least}, not "${text}"`);
}

function parseName(text: string): PeerName {
  if (text === "bullmq" || text === "graphile-worker") return text;
  throw new Error(`--only must be bullmq or graphile-worker, not "${text}"`);
}

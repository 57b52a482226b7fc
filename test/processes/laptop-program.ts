/**
 * A user's program on a laptop cluster, run by laptop.test.ts: `tsx laptop-program.ts end|hang <ledger>`.
 * `end` maps and ends; `hang` prints a line when everything runs, and waits until it is killed.
 */
import { connect } from "skein";
import { family, gated, work } from "./ledger-tasks.ts";

const [mode, ledger = ""] = process.argv.slice(2);
await using skein = await connect({ workers: 2 });
const inputs = Array.from({ length: 20 }, (_, n) => ({ n, ms: 0, ledger }));
const job = await skein.map(work, inputs);
const results = await job.results();
if (mode === "hang") {
  const half = { needs: { cpu: 0.25 } };
  await skein.submit(family, {}, half);
  const task = await skein.submit(gated, { gate: `${ledger}.never`, ledger }, half);
  console.log("running");
  await task.result();
}
console.log(results.length);

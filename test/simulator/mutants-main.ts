// tsx test/simulator/mutants-main.ts [seeds] [part of a name]: which bugs are caught, and how soon.

import { masterMutants } from "./master-mutants.ts";
import { mutants } from "./mutants.ts";
import { huntMutant } from "./mutate.ts";

const seeds = Number(process.argv[2] ?? 200);
const part = process.argv[3] ?? "";
for (const mutant of [...mutants, ...masterMutants]) {
  if (!mutant.name.includes(part)) continue;
  const began = performance.now();
  const { caught, seeds: run } = await huntMutant(mutant, seeds, 120_000);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const text = caught ? `seed ${caught.seed}: ${caught.message.slice(0, 110)}` : "NOT CAUGHT";
  console.log(`${mutant.name} (${run} seeds, ${seconds} s): ${text}`);
}

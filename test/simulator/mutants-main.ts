// tsx test/simulator/mutants-main.ts [seeds]: which bugs are caught, and how soon.

import { mutants } from "./mutants.ts";
import { huntMutant } from "./mutate.ts";

const seeds = Number(process.argv[2] ?? 200);
for (const mutant of mutants) {
  const began = performance.now();
  const { caught, seeds: run } = await huntMutant(mutant, seeds, 120_000);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const text = caught ? `seed ${caught.seed}: ${caught.message.slice(0, 110)}` : "NOT CAUGHT";
  console.log(`${mutant.name} (${run} seeds, ${seconds} s): ${text}`);
}

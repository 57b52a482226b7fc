// npm run mutants:generated -- [--seeds N] FILE…: generated mutants that survive so many seeds.

import { parseArgs } from "node:util";
import { generateMutants } from "./generate.ts";
import { huntMutant } from "./mutate.ts";

const { values, positionals } = parseArgs({
  options: { seeds: { type: "string", default: "60" } },
  allowPositionals: true,
});
const seeds = Number(values.seeds);
/** A mutant that has not been caught by then survives. */
const limitMs = 20_000;

let made = 0;
let caught = 0;
let broken = 0;
for (const file of positionals) {
  for (const mutant of generateMutants(file)) {
    made++;
    try {
      const verdict = await huntMutant(mutant, seeds, limitMs);
      if (verdict.caught) caught++;
      else console.log(`survives ${verdict.seeds} seeds: ${mutant.name}`);
    } catch {
      broken++; // it does not even load
    }
  }
}
console.log(
  `${made} mutants: ${caught} caught, ${broken} broken, ${made - caught - broken} survive`,
);

// npm run mutants:generated -- [--seeds N] [--units TESTS]… [--only TEXT]… FILE…
//
// Generated mutants that survive so many seeds of the simulator, and then the unit tests named. `--only` keeps those
// whose names hold one of the texts: the survivors of an earlier hunt.

import { parseArgs } from "node:util";
import { generateMutants } from "./generate.ts";
import { noticedByUnits } from "./mutant-units.ts";
import { huntMutant } from "./mutate.ts";

const { values, positionals } = parseArgs({
  options: {
    seeds: { type: "string", default: "60" },
    units: { type: "string", multiple: true, default: [] },
    only: { type: "string", multiple: true, default: [] },
  },
  allowPositionals: true,
});
const seeds = Number(values.seeds);
/** A mutant that has not been caught by then survives. */
const limitMs = 20_000;

let made = 0;
let caught = 0;
let noticed = 0;
let broken = 0;
for (const file of positionals) {
  for (const mutant of generateMutants(file)) {
    if (values.only.length > 0 && !values.only.some((text) => mutant.name.includes(text))) continue;
    made++;
    try {
      const verdict = await huntMutant(mutant, seeds, limitMs);
      if (verdict.caught) caught++;
      else if (values.units.length > 0 && (await noticedByUnits(mutant, values.units))) noticed++;
      else console.log(`survives ${verdict.seeds} seeds: ${mutant.name}`);
    } catch {
      broken++; // it does not even load
    }
  }
}
const left = made - caught - noticed - broken;
console.log(
  `${made} mutants: ${caught} caught by seeds, ${noticed} by unit tests, ${broken} broken, ${left} survive`,
);

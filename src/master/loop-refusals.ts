// What the loop answers to requests that it does not decide.

import { refuse } from "../core/refusal.ts";
import type { Refusal } from "../core/refusal.ts";

export function notLeading(leader: string | undefined): Refusal {
  const more = leader === undefined || leader === "" ? {} : { leader };
  return refuse("not_leading", "Another master leads.", more);
}

export function unknownOutcome(): Refusal {
  return refuse("outcome_unknown", "The journal has not said whether this was stored.");
}

export function stopped(why?: Error): Refusal {
  const reason = why === undefined ? "" : `: ${why.message}`;
  return refuse("not_leading", `This master has stopped${reason}.`);
}

export function nobodyLeads(): Refusal {
  return refuse("stalled", "No master leads at the moment.", { retryAfter: 1 });
}

export function refusalOf(code: string, why: string): Refusal {
  if (code === "no_space") {
    return refuse("journal_full", `The journal takes nothing more: ${why}`, { retryAfter: 10 });
  }
  if (code === "forbidden") return refuse("stalled", `The journal may not be written: ${why}`);
  return refuse("too_large", `The journal refused the batch: ${why}`);
}

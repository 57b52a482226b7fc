// A master without others: what stands for leadership and peers where there are none.

import { refuse } from "../core/refusal.ts";
import type { Leadership } from "./context.ts";
import type { Loop } from "./loop.ts";
import type { PeersView } from "./peers.ts";

export function aloneLeadership(loop: Pick<Loop, "leads">): Leadership {
  return {
    stepDown: (_to, done) => done(refuse("conflict", "No other master stands by.")),
    standsFor: () => (loop.leads ? "leading" : "standing"),
    newsAgeMs: () => 0,
  };
}

export const nobodyElse: PeersView = { followed() {}, appended() {}, live: () => [] };

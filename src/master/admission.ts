// What a decision must not take for granted: that the payloads it names are on this master's disk (A1). Asked
// in the loop, right before the decision, because a payload may have been freed since the edge looked.

import type { Request } from "../core/machine.ts";
import { refuse } from "../core/refusal.ts";
import type { Refusal } from "../core/refusal.ts";
import type { Turn } from "../core/turn.ts";

/** Refuses a submit or a part that names a payload which is not stored, or is being freed in this turn. */
export function checkStored(
  request: Request,
  turn: Turn,
  isStored: (hash: string) => boolean,
): Refusal | undefined {
  for (const hash of namedBy(request)) {
    if (isStored(hash) && !isFreedIn(turn, hash)) continue;
    return refuse("payload_missing", `The payload ${hash} is not stored here.`);
  }
  return undefined;
}

function namedBy(request: Request): readonly string[] {
  if (request.kind === "part") return request.input.payloads;
  if (request.kind !== "submit") return [];
  const inputs = request.parts.flatMap((part) => part.payloads);
  const { code } = request.spec;
  return code.kind === "function" ? [code.bundle, ...inputs] : inputs;
}

function isFreedIn(turn: Turn, hash: string): boolean {
  return turn.effects.some(
    (effect) => effect.kind === "payloadsFreed" && effect.hashes.includes(hash),
  );
}

// What a decision must not take for granted: that the payloads it names are on this master's disk (A1). Asked
// in the loop, right before the decision, because a payload may have been freed since the edge looked.

import type { Request } from "../core/machine.ts";
import { refuse } from "../core/refusal.ts";
import type { Refusal } from "../core/refusal.ts";
import type { Turn } from "../core/turn.ts";
import { storedHashes } from "../protocol/outcome-block.ts";

/**
 * The request as it may be decided. A submit or a part that names a payload which is not stored, or is being freed
 * in this very turn, is refused; a result without its bytes is marked, and its task runs again.
 */
export function admit(
  request: Request,
  turn: Turn,
  isStored: (hash: string) => boolean,
): Request | Refusal {
  const isGone = (hash: string) => !isStored(hash) || isFreedIn(turn, hash);
  if (request.kind === "report") return withGone(request, request.blocks, isGone);
  if (request.kind === "register") return withGone(request, request.ends ?? [], isGone);
  const missing = namedBy(request).find(isGone);
  if (missing === undefined) return request;
  return refuse("payload_missing", `The payload ${missing} is not stored here.`);
}

function withGone<R extends Request>(
  request: R,
  blocks: readonly { readonly bytes: Uint8Array }[],
  isGone: (hash: string) => boolean,
): R {
  const gone = blocks.flatMap(({ bytes }) => storedHashes(bytes)).filter(isGone);
  return gone.length === 0 ? request : { ...request, gone };
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

// Idempotency keys (K8). An SDK numbers its requests: the last `clientWindow` numbers of a client are
// remembered. A user's own key is kept for a day. Both live in the state, so they survive a failover.

import { limits } from "../../protocol/limits.ts";
import type { KeysForgotten, RequestKey } from "../entry.ts";
import { refuse } from "../refusal.ts";
import type { Answer } from "../refusal.ts";
import type { ClientKeys, State } from "../state.ts";
import { addTimer } from "../timers.ts";

/** The job a key stands for; null when it is new. */
export function findKey(state: State, key: RequestKey): Answer<{ job: number }> | null {
  const reused = refuse("key_reused", "This idempotency key was used with another body.");
  if (key.kind === "user") {
    const found = state.userKeys.get(key.key);
    if (found && found.expires > state.time) {
      return found.fingerprint === key.fingerprint ? { ok: true, job: found.job } : reused;
    }
    if (!found && state.userKeys.size >= limits.userKeysMax) {
      return refuse("overloaded", `${limits.userKeysMax} keys are in use.`, { retryAfter: 60 });
    }
    return null;
  }
  const client = state.clients.get(key.client);
  if (!client) return null;
  const found = client.recent.get(key.n);
  if (found) return found.fingerprint === key.fingerprint ? { ok: true, job: found.job } : reused;
  if (key.n <= client.highest - limits.clientWindow) {
    return refuse(
      "key_expired",
      `Request ${key.n} of client ${key.client} is more than ${limits.clientWindow} behind.`,
    );
  }
  return null;
}

export function rememberKey(state: State, key: RequestKey, job: number): void {
  if (key.kind === "user") {
    const expires = state.time + limits.userKeyMs;
    state.userKeys.set(key.key, { job, fingerprint: key.fingerprint, expires });
    addTimer(state.timers, { at: expires, kind: "key", key: key.key });
    return;
  }
  let client = state.clients.get(key.client);
  if (!client) {
    client = { highest: 0, seenTime: state.time, recent: new Map() };
    state.clients.set(key.client, client);
    const at = state.time + limits.clientForgottenMs;
    addTimer(state.timers, { at, kind: "keys", client: key.client });
  }
  client.seenTime = state.time;
  client.recent.set(key.n, { job, fingerprint: key.fingerprint });
  if (key.n <= client.highest) return;
  const before = client.highest;
  client.highest = key.n;
  forgetOld(client, before - limits.clientWindow, key.n - limits.clientWindow);
}

/** Drops numbers above `from` up to `to`; a long jump looks at what is there instead of counting. */
function forgetOld(client: ClientKeys, from: number, to: number): void {
  if (to - from <= limits.clientWindow) {
    for (let n = Math.max(1, from + 1); n <= to; n++) client.recent.delete(n);
    return;
  }
  for (const n of client.recent.keys()) if (n <= to) client.recent.delete(n);
}

export function applyKeysForgotten(state: State, entry: KeysForgotten): void {
  for (const client of entry.clients) state.clients.delete(client);
  for (const key of entry.userKeys) state.userKeys.delete(key);
}

// The page's only source of data: the client that programs use, with the session of this browser. When its master
// falls silent it goes on with another one.

import { createClient, pageTransport, SkeinError } from "../../../src/client/index.ts";
import type { Transport } from "../../../src/client/index.ts";
import { freshness } from "./freshness.ts";
import { pageKey } from "./session.ts";

const send = pageTransport((): Record<string, string> => {
  const key = pageKey();
  return key === undefined ? {} : { "skein-page": key };
});

/** Notes whether masters answer, and which. */
let answering = location.origin;
const watched: Transport = async (request) => {
  try {
    const response = await send(request);
    answering = new URL(request.url).origin;
    freshness.heard(new URL(request.url).host, Number(response.header("skein-index")) || 0);
    return response;
  } catch (error) {
    if (!request.signal?.aborted) freshness.missed();
    throw error;
  }
};

/** Queries are asked again anyway: a call that waits long would only hide that nobody answers. */
const retryMs = 4_000;

export const client = createClient({ masters: [location.origin], transport: watched, retryMs });

/** JSON of a path that the client has no method for yet; undefined where this master does not know it. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T | undefined> {
  // Whichever master the client has found.
  const url = answering + path;
  const request = { method: "GET", url, headers: {}, body: undefined, signal, silenceMs: 15_000 };
  const response = await watched(request);
  const text = await response.text();
  if (response.status === 404) return undefined;
  const value: unknown = JSON.parse(text);
  if (response.status >= 300) throw problemOf(value, response.status);
  return value as T;
}

function problemOf(value: unknown, status: number): SkeinError {
  const { code, detail } = value as { code?: string; detail?: string };
  const known = code === "unauthorized" ? code : "internal";
  return new SkeinError(known, detail ?? `The master answered ${status}.`);
}

export function isUnauthorized(error: unknown): boolean {
  return error instanceof SkeinError && error.code === "unauthorized";
}

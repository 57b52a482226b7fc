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
const watched: Transport = async (request) => {
  try {
    const response = await send(request);
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

export function isUnauthorized(error: unknown): boolean {
  return error instanceof SkeinError && error.code === "unauthorized";
}

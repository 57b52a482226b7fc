// What one master reads from another over HTTP: payloads, and what a new master starts from.

import type { Readable } from "node:stream";
import { request } from "undici";
import { SkeinError } from "../protocol/errors.ts";

/** With this header a master answers from its own disk only, and asks nobody else. */
export const fromPeerHeader = "skein-from-master";
/** No byte for so long: the other is stopped, or cut off. */
const idleMs = 5_000;

export interface PeerAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Consume it or destroy it. */
  readonly body: Readable;
}

export interface PeerGet {
  readonly token: string;
  readonly signal?: AbortSignal | undefined;
  readonly range?: { readonly start: number } | undefined;
  /** What has to be made first may take longer to begin. */
  readonly beginMs?: number | undefined;
}

/** Rejects when nobody answers; a status is not an error. */
export async function getFromPeer(
  address: string,
  path: string,
  { token, signal, range, beginMs = idleMs }: PeerGet,
): Promise<PeerAnswer> {
  const { statusCode, headers, body } = await request(new URL(path, address), {
    headers: {
      authorization: `Bearer ${token}`,
      [fromPeerHeader]: "1",
      ...(range && { range: `bytes=${range.start}-` }),
    },
    headersTimeout: beginMs,
    bodyTimeout: idleMs,
    ...(signal && { signal }),
  });
  return { status: statusCode, headers, body };
}

/** The body of a good answer; else an error that says what came instead. */
export async function openFromPeer(address: string, path: string, get: PeerGet): Promise<Readable> {
  const { status, body } = await getFromPeer(address, path, get);
  if (status === 200 || status === 206) return body;
  body.on("error", () => {}); // what is left of it matters no more
  body.destroy();
  const code = status === 404 ? "not_found" : "unreachable";
  throw new SkeinError(code, `The master at ${address} answered ${path} with ${status}.`);
}

/** What a new master copies from another (A6); see api/peer-routes.ts. */
export const peerFilePaths = {
  snapshot: "/v1/peer/snapshot",
  archive: "/v1/peer/archive",
  history: "/v1/peer/history",
} as const;

/** The name of the file in an answer: what a copy that was cut may go on with. */
export const fileNameHeader = "skein-file";

/** What a master keeps of logs, for another that is asked for them: `?ask=` a query of logs/log-calls.ts. */
export const peerLogPaths = { bytes: "/v1/peer/logs", lines: "/v1/peer/log-lines" } as const;

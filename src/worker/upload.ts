// Results too large to travel inline go to the leader's payload store before the outcome that names them
// (A1): what is asked and said for one of them. When, and until when the bytes are kept: results.ts.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { SkeinError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { MasterHttp } from "./master-http.ts";

export type ResultSource = { readonly file: string } | { readonly bytes: Uint8Array };

export interface StoredResult {
  readonly hash: string;
  readonly size: number;
}

/** Hash and size of what is to be stored. Rejects with `too_large`. */
export async function identify(source: ResultSource): Promise<StoredResult> {
  const size = "file" in source ? (await stat(source.file)).size : source.bytes.length;
  if (size > limits.payloadBytesMax) {
    const message = `A result of ${size} bytes is larger than ${limits.payloadBytesMax}`;
    throw new SkeinError("too_large", message);
  }
  return { hash: await hashOf(source), size };
}

/** Whether the leader has it; waits for one for as long as it takes. */
export async function isStored(
  http: MasterHttp,
  hash: string,
  signal: AbortSignal,
): Promise<boolean> {
  const path = `/v1/payloads/${hash}`;
  const request = { method: "HEAD", path, signal, leaderOnly: true } as const;
  const answer = await http.request(request, (body) => body.dump());
  return answer.kind === "ok";
}

/** Stores bytes by their hash; waits for a leader as long as it takes. Rejects when refused for good. */
export async function upload(
  http: MasterHttp,
  { hash, size }: StoredResult,
  source: ResultSource,
  signal: AbortSignal,
): Promise<void> {
  const answer = await http.request(
    {
      method: "PUT",
      path: `/v1/payloads/${hash}`,
      signal,
      contentType: "application/octet-stream",
      bytes: size,
      body: () => ("file" in source ? createReadStream(source.file) : source.bytes),
      leaderOnly: true,
    },
    (body) => body.dump(),
  );
  if (answer.kind === "ok") return;
  const code = answer.kind === "refused" && answer.status === 413 ? "too_large" : "payload_differs";
  throw new SkeinError(code, `A result could not be stored: ${answer.message}`);
}

async function hashOf(source: ResultSource): Promise<string> {
  const hash = createHash("sha256");
  if ("bytes" in source) return hash.update(source.bytes).digest("hex");
  for await (const chunk of createReadStream(source.file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

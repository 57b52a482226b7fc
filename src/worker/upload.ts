// Results too large to travel inline go to the masters' payload store before the outcome that names
// them (A1). The slot's file stays until this resolves.

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

/** Stores bytes by their hash; waits for a leader as long as it takes. Rejects with `too_large`. */
export async function storeResult(
  http: MasterHttp,
  source: ResultSource,
  signal: AbortSignal,
): Promise<StoredResult> {
  const size = "file" in source ? (await stat(source.file)).size : source.bytes.length;
  if (size > limits.payloadBytesMax) {
    const message = `A result of ${size} bytes is larger than ${limits.payloadBytesMax}`;
    throw new SkeinError("too_large", message);
  }
  const hash = await hashOf(source);
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
  if (answer.kind === "ok") return { hash, size };
  const code = answer.kind === "refused" && answer.status === 413 ? "too_large" : "payload_differs";
  throw new SkeinError(code, `A result could not be stored: ${answer.message}`);
}

async function hashOf(source: ResultSource): Promise<string> {
  const hash = createHash("sha256");
  if ("bytes" in source) return hash.update(source.bytes).digest("hex");
  for await (const chunk of createReadStream(source.file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

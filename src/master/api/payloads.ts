// Stored payloads: bytes in by their hash, bytes out, whole or a range.

import type { IncomingMessage } from "node:http";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { fromPeerHeader } from "../peer-http.ts";
import type { Master } from "../context.ts";
import { notLeading } from "../not-leading.ts";
import { stream } from "./body-stream.ts";
import { answered } from "./handlers.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { sendProblem } from "./problems.ts";

export async function putPayload(
  context: ApiContext,
  call: Call<"putPayload">,
): Promise<Answer<"putPayload">> {
  // However full the disk is: results come this way too, and they are never refused (J7).
  const { master } = context;
  // What names it is decided by the leader, which must have it then.
  if (!master.loop.leads) throw notLeading(master);
  const { hash } = call.params;
  const request = call.request.raw;
  const length = Number(request.headers["content-length"] ?? 0);
  if (length > limits.payloadBytesMax) {
    throw new SkeinError("too_large", `A payload has at most ${limits.payloadBytesMax} bytes.`);
  }
  const size = await master.payloads.put(hash, bodyOf(request), {
    maxBytes: limits.payloadBytesMax,
  });
  await master.copies.secure([hash]);
  return { hash, size };
}

/** The body; leaving it early does not tear the connection, so that the answer still gets through. */
async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  for await (const chunk of request.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
}

export async function payload(
  context: ApiContext,
  call: Call<"payload">,
): Promise<Answer<"payload">> {
  const { master } = context;
  const { request, reply } = call;
  const { hash } = call.params;
  // Another master asks for what is on this disk: two that both lack it must not ask each other for ever.
  const { payloads, copies } = master;
  const source = request.headers[fromPeerHeader] === undefined ? copies : payloads;
  const size = await source.size(hash);
  if (size === undefined) throw missing(master, `Payload ${hash} is not stored.`);
  const isHead = request.method === "HEAD";
  const range = isHead ? undefined : parseRange(request.headers.range, size);
  if (range === "outside") {
    reply.header("content-range", `bytes */${size}`);
    sendProblem(reply, new SkeinError("bad_request", `The payload has ${size} bytes.`), 416);
    return answered;
  }
  const { start, end } = range ?? { start: 0, end: size };
  const headers = {
    "content-length": end - start,
    "accept-ranges": "bytes",
    // The bytes of a hash never change; they are anybody's, so a browser must not show them as a page.
    "cache-control": "private, max-age=31536000, immutable",
    "content-disposition": "attachment",
    etag: `"${hash}"`,
    ...(range && { "content-range": `bytes ${start}-${end - 1}/${size}` }),
  };
  const type = "application/octet-stream";
  if (isHead) {
    reply.hijack();
    reply.raw
      .writeHead(200, { "content-type": type, ...context.reads.headers(), ...headers })
      .end();
    return answered;
  }
  const read = await source.read(hash, { start, end });
  if (!read) throw missing(master, `Payload ${hash} is not stored any more.`);
  const options = { reply, type, status: range ? 206 : 200, headers };
  return stream(context, options, async (body) => {
    body.onStop(() => read.stream.destroy());
    // A stream without an encoding gives buffers.
    for await (const piece of read.stream) await body.write(piece as Buffer);
  });
}

/** Not every master has every payload (A1), but the leader has those that are named. */
function missing(master: Master, message: string): SkeinError {
  return master.loop.leads ? new SkeinError("not_found", message) : notLeading(master);
}

interface Range {
  readonly start: number;
  /** One past the last. */
  readonly end: number;
}

/** One range of bytes (RFC 9110); what is no such range is ignored, as the standard asks. */
export function parseRange(
  header: string | undefined,
  size: number,
): Range | "outside" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  if (match[1] === "") {
    const last = Number(match[2]);
    return last === 0 || size === 0 ? "outside" : { start: Math.max(0, size - last), end: size };
  }
  const start = Number(match[1]);
  const last = match[2] === "" ? size - 1 : Number(match[2]);
  if (last < start && match[2] !== "") return undefined;
  return start >= size ? "outside" : { start, end: Math.min(last + 1, size) };
}

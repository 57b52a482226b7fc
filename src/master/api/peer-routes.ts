// What masters read of each other, beside the API of clients: files for one that starts anew (A6). Behind the same
// door, in no table and no OpenAPI, since nobody else needs them.
//
//   GET /v1/peer/snapshot       the newest that verifies; a range goes on where a copy was cut
//   GET /v1/peer/archive        as of now, made for this answer
//   GET /v1/peer/history        {"files": [{name, first, last, bytes}]}
//   GET /v1/peer/history/:file  one of them

import { createReadStream } from "node:fs";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { SkeinError } from "../../protocol/errors.ts";
import { fileNameHeader, peerFilePaths } from "../peer-http.ts";
import type { PeerFile } from "../peer-files.ts";
import { stream } from "./body-stream.ts";
import type { ApiContext } from "./handlers.ts";
import { parseRange } from "./payloads.ts";

export function bindPeerRoutes(app: FastifyInstance, context: ApiContext): void {
  const { files } = context.master;
  app.get(peerFilePaths.snapshot, async (request, reply) => {
    return send(context, await files.snapshot(), request, reply);
  });
  app.get(peerFilePaths.archive, async (request, reply) => {
    return send(context, await files.archive(), request, reply);
  });
  app.get(peerFilePaths.history, async () => ({ files: await files.history() }));
  app.get(`${peerFilePaths.history}/:file`, async (request, reply) => {
    const { file } = request.params as { file: string };
    return send(context, await files.historyFile(file), request, reply);
  });
}

async function send(
  context: ApiContext,
  found: PeerFile | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (!found) throw new SkeinError("not_found", "This master has no such file.");
  const { file, size, name, done } = found;
  const asked = parseRange(request.headers.range, size);
  const range = asked === "outside" ? undefined : asked;
  const { start, end } = range ?? { start: 0, end: size };
  const headers = {
    "content-length": end - start,
    [fileNameHeader]: name,
    ...(range && { "content-range": `bytes ${start}-${end - 1}/${size}` }),
  };
  const options = { reply, type: "application/octet-stream", status: range ? 206 : 200, headers };
  try {
    await stream(context, options, async (body) => {
      if (start === end) return;
      const source = createReadStream(file, { start, end: end - 1, highWaterMark: pieceBytes });
      body.onStop(() => source.destroy());
      // A stream without an encoding gives buffers.
      for await (const piece of source) await body.write(piece as Buffer);
    });
  } finally {
    await done();
  }
  return reply;
}

const pieceBytes = 256 * 1024;

// What masters read of each other's logs (docs/logs.md): from this master's own disk only.
//
//   GET /v1/peer/logs?ask=       bytes of a log from a position, or of what comes next behind a hole
//   GET /v1/peer/log-lines?ask=  lines of a job, a page

import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { SkeinError } from "../../protocol/errors.ts";
import { jobIdPattern } from "../../protocol/ids.ts";
import { peerLogPaths } from "../peer-http.ts";
import type { ApiContext } from "./handlers.ts";

const whole = z.int().min(0);
const job = z.string().regex(jobIdPattern);
const bytesAsk = z.object({ job, task: whole, attempt: whole, from: whole });
const linesAsk = z.object({
  job,
  after: z.tuple([z.number(), whole, whole, whole, z.number()]).nullable(),
  since: z.number(),
  grep: z.string().max(1_000),
  stream: z.enum(["stdout", "stderr", "both"]),
  limit: z.int().min(1).max(1_000),
});

export function bindPeerLogRoutes(app: FastifyInstance, { master }: ApiContext): void {
  app.get(peerLogPaths.bytes, async (request, reply) => {
    const found = await master.keptLogs.store.read(parse(bytesAsk, request.query));
    if (!found) throw new SkeinError("not_found", "Nothing of this log is here.");
    reply.header("content-type", "application/octet-stream");
    reply.header("skein-log-offset", found.offset);
    if (found.end !== null) reply.header("skein-log-end", found.end);
    return reply.send(Buffer.from(found.bytes));
  });
  app.get(peerLogPaths.lines, async (request, reply) => {
    const page = await master.keptLogs.store.lines(parse(linesAsk, request.query));
    return reply.header("content-type", "application/json").send(JSON.stringify(page));
  });
}

function parse<T>(schema: z.ZodType<T>, query: unknown): T {
  const { ask } = query as { ask?: string };
  try {
    return schema.parse(JSON.parse(ask ?? ""));
  } catch (error) {
    throw new SkeinError("bad_request", "This is no query of another master.", { cause: error });
  }
}

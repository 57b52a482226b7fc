// Every error of the API leaves here: as a problem document (RFC 9457), with the request's id, never with a
// stack. What nobody expected is logged under the same id.

import type { FastifyReply, FastifyRequest } from "fastify";
import type { ServerResponse } from "node:http";
import type { z } from "zod";
import type { Log } from "../../lib/log.ts";
import { SkeinError, toProblem } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";

export const problemType = "application/problem+json";

export function sendProblem(reply: FastifyReply, error: SkeinError, status?: number): FastifyReply {
  const problem = toProblem(withInstance(error, reply.request.id));
  const { retryAfter } = error.details;
  if (retryAfter !== undefined) reply.header("retry-after", Math.max(1, Math.ceil(retryAfter)));
  if (problem.status === 503 && retryAfter === undefined) reply.header("retry-after", 1);
  return (
    reply
      .code(status ?? problem.status)
      .header("content-type", problemType)
      // As bytes: to text Fastify would add a charset, which this type does not have.
      .send(Buffer.from(JSON.stringify(status === undefined ? problem : { ...problem, status })))
  );
}

/** On a response that is no longer Fastify's. */
export function sendRawProblem(
  response: ServerResponse,
  error: SkeinError,
  instance: string,
): void {
  const problem = toProblem(withInstance(error, instance));
  const { retryAfter = 1 } = error.details;
  if (problem.status === 503) {
    response.setHeader("retry-after", Math.max(1, Math.ceil(retryAfter)));
  }
  response.writeHead(problem.status, { "content-type": problemType });
  response.end(JSON.stringify(problem));
}

/** Fastify's error handler. */
export function createErrorHandler(log: Log) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const known = toSkeinError(error);
    if (!known || known.kind.status === 500) {
      const { id: requestId, method, url } = request;
      log.error("a request failed", { requestId, method, url, error: known?.cause ?? error });
    }
    // The sender's body may still be under way: what follows it on this connection would be misread.
    if (!request.raw.complete) reply.header("connection", "close");
    sendProblem(reply, known ?? new SkeinError("internal", "The master could not do this."));
  };
}

function withInstance(error: SkeinError, instance: string): SkeinError {
  const { code, message, hint, details } = error;
  return new SkeinError(code, message, { ...details, hint, instance });
}

/** Fastify's own errors in our words. */
function toSkeinError(error: unknown): SkeinError | undefined {
  if (error instanceof SkeinError) return error;
  if (!(error instanceof Error)) return undefined;
  const { code, statusCode } = error as Error & { code?: string; statusCode?: number };
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return new SkeinError("too_large", "The body is larger than this route takes.");
  }
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return new SkeinError("unsupported_media", "The body's content type is not known here.");
  }
  if (statusCode === undefined || statusCode >= 500) return undefined;
  return new SkeinError("bad_request", error.message);
}

/** What a schema refused, field by field. */
export function schemaError(code: ErrorCode, what: string, error: z.ZodError): SkeinError {
  const fields = error.issues.slice(0, 20).map(({ path, message }) => ({
    pointer: path.map((step) => `/${escaped(String(step))}`).join(""),
    detail: message,
  }));
  const [first] = fields;
  const where = first?.pointer ? `${what}${first.pointer}` : what;
  return new SkeinError(code, `${where}: ${first?.detail ?? "it does not fit"}`, { fields });
}

/** As a step of a JSON pointer (RFC 6901). */
function escaped(step: string): string {
  return step.replaceAll("~", "~0").replaceAll("/", "~1");
}

// Routes of the table, bound to their handlers: what comes in is validated here and nowhere else.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { SkeinError } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { readQuery, routes } from "../../protocol/routes.ts";
import type { Route } from "../../protocol/route.ts";
import type { ReadQuery, RouteName } from "../../protocol/routes.ts";
import { z } from "zod";
import { chosenFields, isUnchanged, preferredWaitMs, withFields } from "./answers.ts";
import { answered, JsonText, rawRoutes } from "./handlers.ts";
import type { ApiContext, Call, Handler, Handlers } from "./handlers.ts";
import { schemaError } from "./problems.ts";

/** A body of JSON that is no submit. */
const jsonBytesMax = 64 * 1024;
const jsonType = "application/json; charset=utf-8";

export interface BindOptions {
  readonly submitBytesMax: number;
  /** An answer that takes longer, beyond the wait that was asked for, is given up (P6). */
  readonly answerMs: number;
}

/** These take as long as their bytes do. */
const unbounded = new Set<RouteName>(["putPayload", "retryJob", "cancelJobs", "retryJobs"]);

export function bindRoutes(
  app: FastifyInstance,
  context: ApiContext,
  handlers: Handlers,
  { submitBytesMax, answerMs }: BindOptions,
): void {
  addParsers(app);
  app.addHook("onSend", async (_request, reply) => void reply.headers(context.reads.headers()));
  const bytesMax: Partial<Record<RouteName, number>> = {
    submit: submitBytesMax,
    part: limits.partBytesMax,
  };
  // The keys of the table are its names.
  for (const name of Object.keys(routes) as RouteName[]) {
    const route: Route = routes[name];
    app.route({
      method: route.method,
      // A colon that begins no parameter is doubled for the router: jobs:cancel.
      url: route.path.replace(/(?<!\/):/g, "::"),
      // A stream has no length to tell, and nothing to say without its body.
      exposeHeadRoute: route.method === "GET" && (route.gives === undefined || name === "payload"),
      bodyLimit: bytesMax[name] ?? jsonBytesMax,
      onRequest: checkType(route),
      handler: unbounded.has(name)
        ? (request, reply) => handle(context, handlers, name, request, reply)
        : (request, reply) =>
            bounded(handle(context, handlers, name, request, reply), request, reply, answerMs),
    });
  }
}

/** Bodies stay bytes: what they mean is the route's to say. */
function addParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  for (const type of ["application/json", "application/x-ndjson"]) {
    app.addContentTypeParser(type, { parseAs: "buffer" }, (_request, body, done) =>
      done(null, body),
    );
  }
  app.addContentTypeParser("application/octet-stream", (_request, _stream, done) =>
    done(null, undefined),
  );
}

function checkType(route: Route) {
  const takes = route.takes ?? (route.body === undefined ? [] : ["application/json"]);
  return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    const { "content-type": type, "content-length": length = "0" } = request.headers;
    const hasBody = length !== "0" || request.headers["transfer-encoding"] !== undefined;
    if (!hasBody && type === undefined) return done();
    const plain = type?.split(";", 1)[0]?.trim().toLowerCase() ?? "none";
    if (takes.includes(plain) || (!hasBody && takes.length === 0)) return done();
    const wanted = takes.length === 0 ? "no body" : takes.join(" or ");
    const message = `This route takes ${wanted}, not ${JSON.stringify(plain)}.`;
    done(new SkeinError("unsupported_media", message, { hint: `Send ${wanted}.` }));
  };
}

async function handle(
  context: ApiContext,
  handlers: Handlers,
  name: RouteName,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const route: Route = routes[name];
  if (route.method === "GET") {
    const wanted = parse(readQuery, request.query, "bad_request", "The query") as ReadQuery;
    await context.reads.ready(wanted);
  }
  const query = parse(route.query, ownQuery(route, request, reply), "bad_request", "The query");
  const fields = chosenFields(route, query);
  const bytes = request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
  const isRaw = rawRoutes.some((raw) => raw === name);
  const call = {
    params: parse(route.params, request.params, "bad_request", "The address"),
    query,
    body: isRaw || !route.body ? undefined : parse(route.body, json(bytes), "invalid", "The body"),
    bytes,
    request,
    reply,
  };
  // The types of handlers follow the table, which the line above has followed at run time.
  const answer = await (handlers[name] as Handler<RouteName>)(context, call as Call<RouteName>);
  if (answer === answered) return reply;
  reply.code(route.status ?? 200).header("content-type", jsonType);
  const text =
    answer instanceof JsonText ? answer.text : JSON.stringify(withFields(answer, fields));
  return route.method === "GET" && isUnchanged(request, reply, text) ? reply.send() : text;
}

/** What the query holds for the route itself; a wait may be asked for by a header instead. */
function ownQuery(route: Route, request: FastifyRequest, reply: FastifyReply): unknown {
  const { atLeast: _, strong: __, ...query } = request.query as Record<string, unknown>;
  const ms = preferredWaitMs(request);
  if (ms === undefined || query["wait"] !== undefined || !takesWait(route)) return query;
  reply.header("preference-applied", `wait=${ms / 1_000}`);
  return { ...query, wait: ms };
}

function takesWait({ query }: Route): boolean {
  return query instanceof z.ZodObject && "wait" in query.shape;
}

/** Whoever waits for the journal does not wait for ever. A stream that has begun is answered already. */
function bounded(
  answer: Promise<unknown>,
  request: FastifyRequest,
  reply: FastifyReply,
  answerMs: number,
): Promise<unknown> {
  const { wait } = request.query as { wait?: string };
  const waitMs = wait === undefined ? preferredWaitMs(request) : Number(wait);
  const ms = answerMs + (waitMs || 0);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      if (!reply.sent) reject(tooLate(request, ms));
    }, ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function tooLate({ method }: FastifyRequest, ms: number): SkeinError {
  const seconds = Math.ceil(ms / 1_000);
  const details = { retryAfter: 1 };
  return method === "GET" || method === "HEAD"
    ? new SkeinError("stalled", `The journal has not answered for ${seconds} s.`, details)
    : new SkeinError("outcome_unknown", `Not known to be done after ${seconds} s.`, details);
}

function parse(
  schema: z.ZodType | undefined,
  value: unknown,
  code: ErrorCode,
  what: string,
): unknown {
  if (!schema) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw schemaError(code, what, parsed.error);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The JSON of a body; undefined when there is none. */
export function json(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    throw new SkeinError("bad_request", `The body is not JSON: ${why}`);
  }
  if (!isDeeper(value, depthMax)) return value;
  throw new SkeinError("bad_request", `The body is nested deeper than ${depthMax} levels.`);
}

/** More would overflow the stack of whoever walks it. */
const depthMax = 256;

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  const inner: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return inner.some((one) => isDeeper(one, levels - 1));
}

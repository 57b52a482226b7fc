// Routes of the table, bound to their handlers: what comes in is validated here and nowhere else.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { SkeinError } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { routes } from "../../protocol/routes.ts";
import type { Route, RouteName } from "../../protocol/routes.ts";
import type { z } from "zod";
import { answered, JsonText, rawRoutes } from "./handlers.ts";
import type { ApiContext, Call, Handler, Handlers } from "./handlers.ts";
import { schemaError } from "./problems.ts";

/** A body of JSON that is no submit. */
const jsonBytesMax = 64 * 1024;
const jsonType = "application/json; charset=utf-8";

export interface BindOptions {
  readonly submitBytesMax: number;
}

export function bindRoutes(
  app: FastifyInstance,
  context: ApiContext,
  handlers: Handlers,
  { submitBytesMax }: BindOptions,
): void {
  addParsers(app);
  const bytesMax: Partial<Record<RouteName, number>> = {
    submit: submitBytesMax,
    part: limits.partBytesMax,
  };
  // The keys of the table are its names.
  for (const name of Object.keys(routes) as RouteName[]) {
    const route: Route = routes[name];
    app.route({
      method: route.method,
      url: route.path,
      // A stream has no length to tell, and nothing to say without its body.
      exposeHeadRoute: route.method === "GET" && (route.gives === undefined || name === "payload"),
      bodyLimit: bytesMax[name] ?? jsonBytesMax,
      onRequest: checkType(route),
      handler: (request, reply) => handle(context, handlers, name, request, reply),
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
  const bytes = request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
  const isRaw = rawRoutes.some((raw) => raw === name);
  const call = {
    params: parse(route.params, request.params, "bad_request", "The address"),
    query: parse(route.query, request.query, "bad_request", "The query"),
    body: isRaw || !route.body ? undefined : parse(route.body, json(bytes), "invalid", "The body"),
    bytes,
    request,
    reply,
  };
  // The types of handlers follow the table, which the line above has followed at run time.
  const answer = await (handlers[name] as Handler<RouteName>)(context, call as Call<RouteName>);
  if (answer === answered) return reply;
  reply.code(route.status ?? 200).header("content-type", jsonType);
  return answer instanceof JsonText ? answer.text : JSON.stringify(answer);
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
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    throw new SkeinError("bad_request", `The body is not JSON: ${why}`);
  }
}

// This API as OpenAPI 3.1, made from the very schemas that validate.

import { z } from "zod";
import { errorKinds } from "../../protocol/errors.ts";
import { clientKeyPrefix } from "../../protocol/request-key.ts";
import { readQuery, routes } from "../../protocol/routes.ts";
import type { Route } from "../../protocol/route.ts";
import type { RouteName } from "../../protocol/routes.ts";
import { problemType } from "./problems.ts";

type Json = Readonly<Record<string, unknown>>;

export function openApi(version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  // The keys of the table are its names.
  for (const name of Object.keys(routes) as RouteName[]) {
    const route: Route = routes[name];
    const path = route.path.replace(/\/:([a-z]+)/g, "/{$1}");
    const operations = (paths[path] ??= {});
    operations[route.method.toLowerCase()] = operation(name, route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Skein",
      version,
      description: "The HTTP API of a Skein master. Errors are problem documents (RFC 9457).",
    },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { Problem: problemSchema },
    },
  };
}

function operation(name: RouteName, route: Route): Json {
  return {
    operationId: name,
    summary: route.summary,
    parameters: [
      ...parametersIn("path", route.params),
      ...parametersIn("query", route.query, listTexts),
      ...(route.method === "GET" ? parametersIn("query", readQuery, readTexts) : []),
      ...headersOf(name, route),
    ],
    ...requestBody(route),
    responses: {
      [route.status ?? 200]: answerOf(route),
      ...(name === "payload" ? { 206: { description: "The range asked for" } } : {}),
      ...(hasTag(route) ? { 304: { description: "What If-None-Match names is still so" } } : {}),
      default: {
        description: "A problem",
        content: { [problemType]: { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    },
  };
}

const listTexts: Readonly<Record<string, string>> = {
  filter:
    "Terms with spaces between, all of which hold: state:failed,cancelled !queue:night created>2h",
  fields: "Names of an item's fields with commas between; all unless given.",
  cursor: "The nextCursor of the page before, with the same query.",
  limit: "At most so many items.",
  wait: "Milliseconds until the answer comes in any case.",
};

const readTexts: Readonly<Record<string, string>> = {
  atLeast:
    "Answer when this batch is applied here (the Skein-Index of an earlier answer): at once, or within 5 s; " +
    "else 503 stalled.",
  strong:
    "Only the leader answers, after the journal has said that it still leads; else 503 not_leading.",
};

function parametersIn(
  place: "path" | "query",
  schema: z.ZodType | undefined,
  texts: Readonly<Record<string, string>> = {},
): Json[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape).map(([name, field]) => ({
    name,
    in: place,
    required: place === "path" || !field.safeParse(undefined).success,
    ...(texts[name] === undefined ? {} : { description: texts[name] }),
    schema: parameterSchema(field as z.ZodType),
  }));
}

function hasTag({ method, answer }: Route): boolean {
  return method === "GET" && answer !== undefined;
}

/** What a number becomes says more than the text it is sent as; what a word becomes does not. */
function parameterSchema(field: z.ZodType): Json {
  const schema = jsonSchema(field, "output");
  return Object.keys(schema).length > 0 ? schema : jsonSchema(field, "input");
}

const keyed = new Set<RouteName>(["submit", "retryJob", "retryJobs"]);

function headersOf(name: RouteName, route: Route): Json[] {
  const header = (title: string, description: string) => ({
    name: title,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
  });
  if (keyed.has(name)) {
    const text =
      "The same key and body give the same job, however often they are sent, for a day. A text of your own, " +
      `at most 255 characters; what begins with ${clientKeyPrefix} is for Skein's own clients.`;
    return [header("Idempotency-Key", text)];
  }
  if (name === "payload") return [header("Range", "One range of bytes.")];
  if (!hasTag(route)) return [];
  const known = header("If-None-Match", "The ETag of an answer that the client has.");
  const wait = header("Prefer", "wait=30 waits so many seconds for the end, as ?wait does.");
  return name === "job" ? [known, wait] : [known];
}

function requestBody(route: Route): Json | undefined {
  if (route.body === undefined && route.takes === undefined) return undefined;
  const types = route.takes ?? ["application/json"];
  const content = types.map((type) => [type, { schema: bodySchema(route, type) }] as const);
  const required = route.body === undefined || !route.body.safeParse(undefined).success;
  return { requestBody: { required, content: Object.fromEntries(content) } };
}

function bodySchema(route: Route, type: string): Json {
  if (type === "application/json" && route.body) return jsonSchema(route.body, "input");
  if (type === "application/octet-stream") return { type: "string", format: "binary" };
  const head = route.body ? "First the object of the JSON body without `inputs`; then" : "For each";
  return { type: "string", description: `${head} one line of JSON an input.` };
}

function answerOf(route: Route): Json {
  const content: [string, unknown][] = (route.gives ?? []).map((type) => [
    type,
    { schema: { type: "string", ...(isText(type) ? {} : { format: "binary" }) } },
  ]);
  if (route.answer) {
    content.push(["application/json", { schema: jsonSchema(route.answer, "output") }]);
  }
  return {
    description: route.summary,
    headers: stampHeaders,
    content: Object.fromEntries(content),
  };
}

function isText(type: string): boolean {
  return type.includes("json") || type.startsWith("text/");
}

/** What every answer rests on (L5). */
const stampHeaders: Json = Object.fromEntries(
  Object.entries({
    "Skein-Term": "The term of the leader that this master has applied last",
    "Skein-Index": "The last batch of the journal that it has applied",
    "Skein-Age-Ms": "How old its news may be, in ms; of a leader: since its last good append",
  }).map(([name, description]) => [name, { description, schema: { type: "integer" } }]),
);

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}

const problemSchema: Json = {
  type: "object",
  required: ["type", "title", "status", "detail", "code", "hint", "retryable"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "What happened, and why" },
    code: { type: "string", enum: Object.keys(errorKinds) },
    hint: { type: "string", description: "What to do" },
    retryable: { type: "boolean" },
    instance: { type: "string", description: "The request's id, as in the master's log" },
    leader: { type: "string", description: "Of not_leading: the address of the one that leads" },
    errors: {
      type: "array",
      items: {
        type: "object",
        properties: { pointer: { type: "string" }, detail: { type: "string" } },
      },
    },
  },
};

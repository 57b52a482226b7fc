// What every JSON answer to a GET has in common: chosen fields, and an ETag by which a client that has it already is
// told so without a body.

import { hash } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { SkeinError } from "../../protocol/errors.ts";
import { nearest } from "../../protocol/filter.ts";
import type { Route } from "../../protocol/route.ts";

/** Names of `fields=`, checked against what an item of the list has; undefined where all are wanted. */
export function chosenFields(route: Route, query: unknown): readonly string[] | undefined {
  const { fields } = (query ?? {}) as { readonly fields?: string };
  const known = itemFields(route);
  if (fields === undefined || known.length === 0) return undefined;
  const chosen = fields.split(",").map((name) => name.trim());
  for (const name of chosen) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const guess = near === undefined ? "" : `Did you mean ${near}? `;
    throw new SkeinError("bad_request", `fields: there is no field ${JSON.stringify(name)} here.`, {
      hint: `${guess}Fields here: ${known.join(", ")}.`,
      fields: [{ pointer: "/fields", detail: "an unknown field" }],
    });
  }
  return chosen;
}

function itemFields({ answer }: Route): readonly string[] {
  const items = answer instanceof z.ZodObject ? answer.shape["items"] : undefined;
  const item = items instanceof z.ZodArray ? items.element : undefined;
  return item instanceof z.ZodObject ? Object.keys(item.shape) : [];
}

/** The answer with nothing but these fields in its items. */
export function withFields(answer: unknown, fields: readonly string[] | undefined): unknown {
  if (fields === undefined) return answer;
  const { items, ...rest } = answer as { readonly items: readonly Record<string, unknown>[] };
  const chosen = items.map((item) => Object.fromEntries(fields.map((name) => [name, item[name]])));
  return { items: chosen, ...rest };
}

/** Sets the ETag; true when the client has this very text, and is told so. */
export function isUnchanged(request: FastifyRequest, reply: FastifyReply, text: string): boolean {
  const tag = `"${hash("sha1", text, "base64url").slice(0, 22)}"`;
  reply.header("etag", tag);
  const { "if-none-match": known } = request.headers;
  if (known === undefined) return false;
  // Weak comparison (RFC 9110, 13.1.2): what a proxy has made weak is the same text.
  const tags = known.split(",").map((one) => one.trim().replace(/^W\//, ""));
  if (!tags.includes(tag) && !tags.includes("*")) return false;
  reply.code(304);
  return true;
}

/** `Prefer: wait=30` (RFC 7240) in milliseconds. */
export function preferredWaitMs({ headers }: FastifyRequest): number | undefined {
  const { prefer } = headers;
  const seconds = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?/i.exec(String(prefer ?? ""))?.[1];
  return seconds === undefined ? undefined : Math.min(Number(seconds) * 1_000, 300_000);
}

// Idempotency keys as they arrive (K8): numbered ones of our own clients, anything else from a user.

import { hash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { RequestKey } from "../../core/entry.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { clientKeyPrefix, parseClientKey } from "../../protocol/request-key.ts";

const keyCharsMax = 255;
const reserved = `An Idempotency-Key of your own may not begin with "${clientKeyPrefix}".`;

export interface KeySource {
  readonly request: FastifyRequest;
  /** A user's own key in the body: it wins. */
  readonly own: string | undefined;
  /** What a user's key is valid within, beside others of the same name: namespace and route. */
  readonly scope: string;
  /** What the same key must always come with. */
  readonly content: Uint8Array;
}

export function requestKey({ request, own, scope, content }: KeySource): RequestKey | null {
  const header = headerKey(request);
  if (own === undefined && header === undefined) return null;
  const fingerprint = hash("sha256", content);
  if (own === undefined && header?.startsWith(clientKeyPrefix)) {
    const key = parseClientKey(header);
    if (!key) throw new SkeinError("bad_request", reserved);
    return { kind: "client", ...key, fingerprint };
  }
  return { kind: "user", key: `${scope}/${own ?? header}`, fingerprint };
}

function headerKey(request: FastifyRequest): string | undefined {
  const header = request.headers["idempotency-key"];
  if (typeof header !== "string" || header === "") return undefined;
  if (header.length > keyCharsMax) {
    throw new SkeinError(
      "bad_request",
      `An Idempotency-Key has at most ${keyCharsMax} characters.`,
    );
  }
  // The draft standard has it quoted.
  return header.length > 1 && header.startsWith('"') && header.endsWith('"')
    ? header.slice(1, -1)
    : header;
}

// The door (D1): who is let in. It is asked before routing, for unknown routes and upgrades too, and reads
// nothing but headers: the body of a request that is refused is never read.
//
//   1. Host must be on the allow-list: a page whose name was rebound to this address is turned away.
//   2. What a foreign web page sends is refused, whatever token it brings.
//   3. Everything needs the token, safe methods too.

import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { SkeinError, toProblem } from "../../protocol/errors.ts";
import type { Problem } from "../../protocol/errors.ts";

export interface DoorOptions {
  readonly token: string;
  /** Without ports. */
  readonly allowedHosts: readonly string[];
  readonly newId: () => string;
}

export type CheckDoor = (request: IncomingMessage) => Problem | undefined;

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/** Says why a request is not let in; undefined when it is. */
export function createDoor(options: DoorOptions): CheckDoor {
  const hosts = new Set(options.allowedHosts.map((host) => host.toLowerCase()));
  const token = Buffer.from(options.token);
  return (request) => {
    const why = checkHost(request, hosts) ?? checkOrigin(request) ?? checkToken(request, token);
    if (!why) return undefined;
    const { code, message } = why;
    return toProblem(new SkeinError(code, message, { instance: options.newId() }));
  };
}

interface Why {
  readonly code: "wrong_host" | "forbidden_origin" | "unauthorized";
  readonly message: string;
}

function checkHost(request: IncomingMessage, hosts: ReadonlySet<string>): Why | undefined {
  const { host } = request.headers;
  if (host !== undefined && hosts.has(hostname(host))) return undefined;
  return {
    code: "wrong_host",
    message: `The Host header ${shown(host)} is none of this master's.`,
  };
}

/** "[::1]:7420" and "[::1]" → "[::1]"; "localhost:7420" → "localhost". */
function hostname(host: string): string {
  return host.replace(/:\d{0,5}$/, "").toLowerCase();
}

function checkOrigin(request: IncomingMessage): Why | undefined {
  const { origin, host = "", upgrade } = request.headers;
  const own = origin === undefined || originHost(origin) === host.toLowerCase();
  const site = request.headers["sec-fetch-site"];
  const unsafe = upgrade !== undefined || !safeMethods.has(request.method ?? "");
  if (own && !(unsafe && site === "cross-site")) return undefined;
  const from = origin === undefined ? "another site" : shown(origin);
  return { code: "forbidden_origin", message: `A web page of ${from} sent this request.` };
}

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function checkToken(request: IncomingMessage, token: Uint8Array): Why | undefined {
  const { authorization } = request.headers;
  if (authorization === undefined) {
    return { code: "unauthorized", message: "The request carries no token." };
  }
  // Its length is no secret; its characters are compared in constant time.
  const given = Buffer.from(bearer.exec(authorization)?.[1] ?? "");
  if (given.length === token.length && timingSafeEqual(given, token)) return undefined;
  return { code: "unauthorized", message: "The request's token is not this cluster's." };
}

const bearer = /^Bearer +(\S+)$/i;

function shown(text: string | undefined): string {
  return text === undefined ? "(none)" : JSON.stringify(text.slice(0, 200));
}

/** Answers without reading the body; a connection that still carries one is closed. */
export function turnAway(
  request: IncomingMessage,
  response: ServerResponse,
  problem: Problem,
): void {
  const { "content-length": length = "0", "transfer-encoding": chunked } = request.headers;
  if (length !== "0" || chunked !== undefined) response.setHeader("connection", "close");
  if (problem.status === 401) response.setHeader("www-authenticate", 'Bearer realm="skein"');
  response.setHeader("content-type", "application/problem+json");
  response.statusCode = problem.status;
  response.end(JSON.stringify(problem));
}

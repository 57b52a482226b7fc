// The door (D1): who is let in. It is asked before routing, for unknown routes and upgrades too, and reads
// nothing but headers: the body of a request that is refused is never read.
//
//   1. Host must be on the allow-list: a page whose name was rebound to this address is turned away.
//   2. What a foreign web page sends is refused, whatever it brings. The dashboard of another master is not foreign:
//      its origin is one of the addresses that masters have told the journal, and no other is told (CORS) that it
//      may read an answer.
//   3. Everything needs the token, safe methods too, or the session of a person in a browser: its cookie and its page
//      key together (login.ts W3). Upgrades and new login codes need the token.
//   4. Without any of them only the dashboard's own files (dashboard.ts), a login (login.ts) and the bare question
//      whether this master lives and is ready (probes.ts: one word, nothing of the cluster) are answered, by exact
//      address, before routing and so before anything is decoded: no other spelling of a route passes as one.
//
// Tried in door.test.ts and login.test.ts: requests forged by other sites and by other ports of this host, rebound
// names, stolen and planted cookies, codes used twice or late, other spellings of addresses.

import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { SkeinError, toProblem } from "../../protocol/errors.ts";
import type { Problem } from "../../protocol/errors.ts";
import { pageKeyHeader } from "./login.ts";
import type { Login } from "./login.ts";

export interface DoorOptions {
  readonly token: string;
  /** Without ports. */
  readonly allowedHosts: readonly string[];
  readonly newId: () => string;
  /** Without it nobody comes in by a browser's session. */
  readonly login?: Pick<Login, "isOpen">;
  /** Origins of the other masters; none unless given. */
  readonly others?: () => readonly string[];
}

export type CheckDoor = (request: IncomingMessage) => Problem | undefined;

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/** Says why a request is not let in; undefined when it is. */
export function createDoor(options: DoorOptions): CheckDoor {
  const checkPlace = createOuterDoor(options);
  const token = Buffer.from(options.token);
  const { login } = options;
  return (request) => {
    const outside = checkPlace(request);
    if (outside) return outside;
    const why = checkToken(request, token, login);
    return why && problemOf(why, options);
  };
}

/** Rules 1 and 2 alone: for what needs no token. */
export function createOuterDoor(options: DoorOptions): CheckDoor {
  const hosts = new Set(options.allowedHosts.map((host) => host.toLowerCase()));
  const { others = () => [] } = options;
  return (request) => {
    const why = checkHost(request, hosts) ?? checkOrigin(request, others);
    return why && problemOf(why, options);
  };
}

function problemOf({ code, message }: Why, { newId }: DoorOptions): Problem {
  return toProblem(new SkeinError(code, message, { instance: newId() }));
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

function checkOrigin(request: IncomingMessage, others: () => readonly string[]): Why | undefined {
  const { origin, host = "", upgrade } = request.headers;
  const own = origin === undefined || originHost(origin) === host.toLowerCase();
  if (!own && upgrade === undefined && others().includes(origin)) return undefined;
  const site = request.headers["sec-fetch-site"];
  const unsafe = upgrade !== undefined || !safeMethods.has(request.method ?? "");
  if (own && !(unsafe && site === "cross-site")) return undefined;
  const from = origin === undefined ? "another site" : shown(origin);
  return { code: "forbidden_origin", message: `A web page of ${from} sent this request.` };
}

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function checkToken(
  request: IncomingMessage,
  token: Uint8Array,
  login: DoorOptions["login"],
): Why | undefined {
  const { authorization, upgrade } = request.headers;
  if (!authorization) {
    if (upgrade === undefined && login?.isOpen(request)) return undefined;
    return { code: "unauthorized", message: "The request carries no token." };
  }
  // Its length is no secret; its characters are compared in constant time.
  const given = Buffer.from(bearer.exec(authorization)?.[1] ?? "");
  if (given.length === token.length && timingSafeEqual(given, token)) return undefined;
  return { code: "unauthorized", message: "The request's token is not this cluster's." };
}

const bearer = /^Bearer +(\S+)$/i;

/**
 * What lets the dashboard of another master read the answer. True when that was all it asked for. Only behind the
 * outer door: `others` has been asked there whether it is one.
 */
export function shareWithOther(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
): boolean {
  const { origin, host = "" } = headers;
  if (origin === undefined || originHost(origin) === host.toLowerCase()) return false;
  response.setHeader("vary", "origin");
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("access-control-allow-credentials", "true");
  response.setHeader("access-control-expose-headers", exposed);
  if (method !== "OPTIONS" || headers["access-control-request-method"] === undefined) return false;
  response.setHeader("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
  response.setHeader("access-control-allow-headers", asked);
  response.setHeader("access-control-max-age", "600");
  response.writeHead(204).end();
  return true;
}

const exposed = "etag, retry-after, skein-attempt, skein-index, skein-log-missing, skein-term";
const asked = `accept, content-type, idempotency-key, if-none-match, last-event-id, ${pageKeyHeader}`;

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

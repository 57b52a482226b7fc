// A person in a browser: a one-time code becomes a session, which every master of the cluster knows.
//
//   W1. A code is 24 random bytes, known to the master that made it alone, kept as a hash, good for one use within
//       `loginCodeMs`. It travels in the fragment of an address: no request line, log or Referer has it.
//   W2. A session is a cookie and a page key. Both are HMACs by the cluster's token over when the session ends
//       and a nonce, so that any master checks them and none keeps a list. They are compared in constant time.
//   W3. The cookie alone opens nothing. Cookies do not tell ports apart: whatever else listens on this host is
//       sent it by the browser. The page key lies in the page's own storage, which belongs to one port, and comes in
//       a header, which no form and no image can send and no foreign page may.
//   W4. The cookie is HttpOnly, SameSite=Strict and named after the cluster, so that the clusters of one host do not
//       log each other out. Of several cookies of that name any that is good counts: another program
//       on this host can add one, and cannot lock anybody out with it.
//   W5. A session makes no codes and opens no sockets: who has only a browser cannot prolong it. It ends by its
//       time, by `POST /v1/logout` (in that browser), or with the token.

import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../lib/clock.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { sendRawProblem } from "./problems.ts";

/** The header that carries the page key. */
export const pageKeyHeader = "skein-page";
const loginPath = "/v1/login";
const logoutPath = "/v1/logout";
const bodyBytesMax = 1_024;

export interface Session {
  readonly cookie: string;
  readonly key: string;
  readonly expires: number;
}

export interface LoginOptions {
  readonly token: string;
  readonly clock: Clock;
}

export class Login {
  readonly #token: string;
  readonly #clock: Clock;
  readonly #cookieName: string;
  /** When each code ends on the monotonic clock, by its hash. */
  readonly #codes = new Map<string, number>();

  constructor({ token, clock }: LoginOptions) {
    this.#token = token;
    this.#clock = clock;
    this.#cookieName = `skein_${this.#mac("cookie name").toString("hex").slice(0, 12)}`;
  }

  newCode(): string {
    this.#forgetOld();
    const [oldest] = this.#codes.keys();
    if (oldest !== undefined && this.#codes.size >= limits.loginCodesMax)
      this.#codes.delete(oldest);
    const code = randomBytes(24).toString("base64url");
    this.#codes.set(hashOf(code), this.#clock.now() + limits.loginCodeMs);
    return code;
  }

  /** Uses a code up; undefined when it was none, or none any more. */
  open(code: string): Session | undefined {
    this.#forgetOld();
    // The look-up is by hash: how long it takes says nothing of a code.
    if (!this.#codes.delete(hashOf(code))) return undefined;
    const expires = this.#clock.wall() + limits.loginMs;
    const body = `${expires.toString(36)}.${randomBytes(16).toString("base64url")}`;
    const value = `${body}.${this.#mac(`cookie ${body}`).toString("base64url")}`;
    return { cookie: this.#cookie(value, limits.loginMs), key: this.#key(body), expires };
  }

  /** Whether cookie and page key belong to one session that has not ended (W2, W3). */
  isOpen({ headers }: Pick<IncomingMessage, "headers">): boolean {
    const { cookie = "", [pageKeyHeader]: key } = headers;
    if (typeof key !== "string") return false;
    return cookie.split(";").some((pair) => {
      const [name, value = ""] = pair.trim().split("=", 2);
      return name === this.#cookieName && this.#fits(value, key);
    });
  }

  #fits(value: string, key: string): boolean {
    const end = value.lastIndexOf(".");
    const body = value.slice(0, Math.max(end, 0));
    const [expires = ""] = body.split(".");
    const mac = this.#mac(`cookie ${body}`).toString("base64url");
    const isOurs = isEqual(value.slice(end + 1), mac);
    const isItsPage = isEqual(key, this.#key(body));
    return isOurs && isItsPage && Number.parseInt(expires, 36) > this.#clock.wall();
  }

  /** Answers `POST /v1/login` and `POST /v1/logout`, which need no session; false for everything else. */
  serve(request: IncomingMessage, response: ServerResponse, instance: () => string): boolean {
    const { method, url } = request;
    if (method !== "POST" || (url !== loginPath && url !== logoutPath)) return false;
    response.setHeader("cache-control", "no-store");
    const refuse = (error: SkeinError) => {
      if (!request.complete) response.setHeader("connection", "close");
      sendRawProblem(response, error, instance());
    };
    if (url === logoutPath) {
      response.writeHead(204, { "set-cookie": this.#cookie("", 0) }).end();
      return true;
    }
    if (request.headers["content-type"]?.split(";", 1)[0] !== "application/json") {
      refuse(new SkeinError("unsupported_media", "A login is application/json."));
      return true;
    }
    readBody(request).then((text) => this.#answer(text, response, refuse), refuse);
    return true;
  }

  #answer(text: string, response: ServerResponse, refuse: (error: SkeinError) => void): void {
    const code = codeIn(text);
    const session = code === undefined ? undefined : this.open(code);
    if (!session) {
      const message = "This login code is none, is used up, or is older than a minute.";
      const hint = "`skein ui` makes another, for the master that it names.";
      return refuse(new SkeinError("unauthorized", message, { hint }));
    }
    const { cookie, key, expires } = session;
    response.writeHead(200, { "content-type": "application/json", "set-cookie": cookie });
    response.end(JSON.stringify({ key, expires: new Date(expires).toISOString() }));
  }

  #cookie(value: string, ms: number): string {
    const age = Math.floor(ms / 1_000);
    return `${this.#cookieName}=${value}; Path=/v1; Max-Age=${age}; HttpOnly; SameSite=Strict`;
  }

  #key(body: string): string {
    return this.#mac(`page ${body}`).toString("base64url");
  }

  #mac(text: string): Buffer {
    return createHmac("sha256", this.#token).update(`skein ${text}`).digest();
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [code, end] of this.#codes) if (end <= now) this.#codes.delete(code);
  }
}

function hashOf(code: string): string {
  return createHash("sha256").update(code).digest("hex");
}

/** In constant time; lengths are no secret. */
function isEqual(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function codeIn(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const code = typeof value === "object" && value !== null && "code" in value && value.code;
    return typeof code === "string" ? code : undefined;
  } catch {
    return undefined;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  // A request without an encoding gives buffers.
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > bodyBytesMax) throw new SkeinError("too_large", "This is no login code.");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

// The dashboard's files, as `npm run build` leaves them in dist/dashboard. They hold no secret: whoever passes the
// outer door gets them, and sees nothing of the cluster without a session (login.ts).
//
//   F1. Only files that the build left are served, by exact path; a screen's address gets index.html. Everything
//       else is the API's to answer, and so needs a token: nothing is decoded, joined or resolved here.
//   F2. Files in /assets/ have a hash in their name and never change; index.html is asked for each time.
//   F3. The page may load and connect to nothing but this master and, when it is cut off, the others. It runs no
//       inline script and stands in no frame.
//   F4. A missing build is said in words.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
/** The first step of every address that a screen has. */
const screens = new Set(["", "login", "jobs", "workers", "queues", "masters", "events"]);

interface File {
  readonly type: string;
  readonly bytes: Buffer;
  readonly packed: Buffer | undefined;
  readonly etag: string;
  readonly immutable: boolean;
}

export interface DashboardOptions {
  /** Where the build is; beside this program unless given. */
  readonly dir?: string | undefined;
  /** Origins of the other masters. */
  readonly others: () => readonly string[];
}

export class Dashboard {
  readonly #dir: string;
  readonly #others: DashboardOptions["others"];
  #files: ReadonlyMap<string, File> | undefined;

  constructor({ dir = builtDir(), others }: DashboardOptions) {
    this.#dir = dir;
    this.#others = others;
  }

  /** Answers what is the dashboard's; false for everything else. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const { method, url = "" } = request;
    if (method !== "GET" && method !== "HEAD") return false;
    const path = url.split(/[?#]/, 1)[0] ?? "";
    const isScreen = screens.has(path.split("/", 2)[1] ?? "");
    const files = this.#read();
    const file = files.get(isScreen ? "/index.html" : path);
    if (!file && !isScreen) return false;
    response.setHeader("content-security-policy", this.#policy());
    for (const [name, value] of Object.entries(fixedHeaders)) response.setHeader(name, value);
    if (file) send(file, request, response);
    else sayMissing(method, response);
    return true;
  }

  /** A build that is missing is looked for again. */
  #read(): ReadonlyMap<string, File> {
    if (!this.#files?.size) this.#files = readBuild(this.#dir);
    return this.#files;
  }

  #policy(): string {
    return [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      ["connect-src 'self'", ...this.#others()].join(" "),
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ].join("; ");
  }
}

const fixedHeaders = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

function send(file: File, { method, headers }: IncomingMessage, response: ServerResponse): void {
  const { type, etag, immutable, packed } = file;
  const takesPacked = /\bgzip\b/.test(String(headers["accept-encoding"] ?? ""));
  const bytes = (takesPacked && packed) || file.bytes;
  response.setHeader(
    "cache-control",
    immutable ? "public, max-age=31536000, immutable" : "no-cache",
  );
  response.setHeader("vary", "accept-encoding");
  response.setHeader("etag", etag);
  if (headers["if-none-match"] === etag) {
    response.writeHead(304).end();
    return;
  }
  response.writeHead(200, {
    "content-type": type,
    "content-length": bytes.length,
    ...(bytes === packed && { "content-encoding": "gzip" }),
  });
  response.end(method === "HEAD" ? undefined : bytes);
}

function sayMissing(method: string, response: ServerResponse): void {
  const text =
    "The dashboard has not been built. In a clone of the repository run: npm run build\n" +
    "The API is at /v1, and `skein status` shows the cluster in a terminal.\n";
  response.writeHead(503, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
  });
  response.end(method === "HEAD" ? undefined : text);
}

/** All files of the build: under a megabyte. */
function readBuild(dir: string): ReadonlyMap<string, File> {
  const files = new Map<string, File>();
  if (!existsSync(join(dir, "index.html"))) return files;
  for (const folder of ["", "assets"]) {
    if (!existsSync(join(dir, folder))) continue;
    for (const entry of readdirSync(join(dir, folder), { withFileTypes: true })) {
      const type = types[extname(entry.name)];
      if (!entry.isFile() || type === undefined) continue;
      const place = join(dir, folder, entry.name);
      const bytes = readFileSync(place);
      files.set(`/${folder === "" ? "" : `${folder}/`}${entry.name}`, {
        type,
        bytes,
        packed: existsSync(`${place}.gz`) ? readFileSync(`${place}.gz`) : undefined,
        etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`,
        immutable: folder === "assets",
      });
    }
  }
  return files;
}

/** From dist/master/api as from src/master/api. */
function builtDir(): string {
  const beside = fileURLToPath(new URL("../../dashboard/", import.meta.url));
  const fromSource = fileURLToPath(new URL("../../../dist/dashboard/", import.meta.url));
  return existsSync(beside) ? beside : fromSource;
}

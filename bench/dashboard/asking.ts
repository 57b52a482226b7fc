/** How long each answer takes, and how large it is: one request at a time, in turns, so that all share the weather. */
import { gzipSync } from "node:zlib";
import { Pool } from "undici";
import { percentile } from "../peers/statistics.ts";
import type { Random } from "../failover/random.ts";
import type { Request } from "./requests.ts";

export interface Answered {
  readonly route: string;
  readonly what: string;
  readonly n: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** Of the last answer, as it was sent, and what gzip would make of it. */
  readonly bytes: number;
  readonly gzipBytes: number;
  /** As the server sent it. */
  readonly encoding: string;
}

interface Series {
  readonly request: Request;
  readonly ms: number[];
  last: Buffer;
  encoding: string;
}

export interface AskOptions {
  readonly url: string;
  readonly token: string;
  readonly requests: readonly Request[];
  readonly rounds: number;
  readonly random: Random;
}

export async function askAll({ url, token, requests, rounds, random }: AskOptions) {
  await using pool = disposable(new Pool(url, { connections: 1 }));
  const all = requests.map((request): Series => ({
    request,
    ms: [],
    last: Buffer.alloc(0),
    encoding: "",
  }));
  const headers = { authorization: `Bearer ${token}`, "accept-encoding": "gzip" };
  for (let round = -1; round < rounds; round++) {
    for (const series of all) {
      const path = series.request.path(random);
      const began = performance.now();
      const answer = await pool.request({ method: "GET", path, headers });
      const bytes = Buffer.from(await answer.body.arrayBuffer());
      const ms = performance.now() - began;
      if (answer.statusCode !== 200) {
        throw new Error(`GET ${path}: ${answer.statusCode} ${bytes.toString().slice(0, 500)}`);
      }
      // The first round warms what is cached and compiled.
      if (round >= 0) series.ms.push(ms);
      series.last = bytes;
      series.encoding = String(answer.headers["content-encoding"] ?? "");
    }
  }
  return all.map(answered);
}

function answered({ request: { route, what }, ms, last, encoding }: Series): Answered {
  const [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1].map((at) => tenth(percentile(ms, at)));
  const gzipBytes = encoding === "gzip" ? last.length : gzipSync(last).length;
  return {
    route,
    what,
    n: ms.length,
    p50: p50 ?? 0,
    p95: p95 ?? 0,
    p99: p99 ?? 0,
    max: max ?? 0,
    bytes: last.length,
    gzipBytes,
    encoding,
  };
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}

function disposable(pool: Pool): Pool & AsyncDisposable {
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.destroy() });
}

// HTTP in Node: undici with one pool of connections for each master. Never the global fetch, which doubles
// the latency of a call.

import type { Pool } from "undici";
import type { Transport } from "../client/index.ts";
import { SkeinError } from "../protocol/errors.ts";

export interface NodeTransport {
  readonly transport: Transport;
  /** Closes all connections; what is under way fails. */
  readonly close: () => Promise<void>;
}

/** Connections to one master: beyond them requests wait their turn. */
const connectionsMax = 256;
const connectMs = 5_000;
const keepAliveMs = 30_000;

/** Transports of their own pools: close what you open. */
export async function openNodeTransport(): Promise<NodeTransport> {
  // Loaded here: what only defines tasks does not pay for it.
  const undici = await import("undici");
  const all: Pool[] = [];
  let closed = false;
  const sends = (connections: number): Transport => {
    const pools = new Map<string, Pool>();
    const poolOf = (origin: string): Pool => {
      const known = pools.get(origin);
      if (known) return known;
      const pool = new undici.Pool(origin, {
        connections,
        pipelining: 1,
        keepAliveTimeout: keepAliveMs,
        connect: { timeout: connectMs },
      });
      pools.set(origin, pool);
      all.push(pool);
      return pool;
    };
    return async ({ method, url, headers, body, signal, silenceMs }) => {
      // A SkeinError, so that nobody tries again.
      if (closed) throw new SkeinError("unreachable", "The connection to the cluster was closed.");
      const slash = url.indexOf("/", 8);
      const response = await poolOf(url.slice(0, slash)).request({
        method: method as "GET",
        path: url.slice(slash),
        headers,
        body: body ?? null,
        signal: signal ?? null,
        headersTimeout: silenceMs,
        bodyTimeout: silenceMs,
      });
      return {
        status: response.statusCode,
        header: (name) => {
          const value = response.headers[name];
          return Array.isArray(value) ? value[0] : value;
        },
        body: response.body,
        text: () => response.body.text(),
        bytes: () => response.body.bytes(),
      };
    };
  };
  return {
    transport: Object.assign(sends(connectionsMax), { aside: sends(1) }),
    close: async () => {
      closed = true;
      await Promise.all(all.map((pool) => pool.destroy()));
    },
  };
}

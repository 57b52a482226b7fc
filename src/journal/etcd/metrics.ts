// etcd's page of metrics, for what its API does not tell (to everyone): the quota before 3.6, and how
// full it is where users are switched on and ours is no administrator.

import { get as httpGet } from "node:http";
import { get as httpsGet } from "node:https";
import type { EtcdPlace } from "./url.ts";

export interface EtcdMetrics {
  readonly quota: number | undefined;
  readonly bytesInUse: number | undefined;
}

const metricsMs = 1_000;
const pageBytesMax = 4 * 1024 * 1024;

/** Undefined if there is no such page, or it may not be read: whoever asks says what follows. */
export async function readMetrics(
  endpoint: string,
  place: EtcdPlace,
): Promise<EtcdMetrics | undefined> {
  const page = await fetchPage(`${endpoint}/metrics`, place).catch(() => undefined);
  if (page === undefined) return undefined;
  const value = (name: string): number | undefined => {
    const found = new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const quota = value("etcd_server_quota_backend_bytes");
  return {
    // Without a quota etcd shows a negative one.
    quota: quota === undefined || quota > 0 ? quota : Number.MAX_SAFE_INTEGER,
    bytesInUse: value("etcd_mvcc_db_total_size_in_use_in_bytes"),
  };
}

function fetchPage(url: string, { tls }: EtcdPlace): Promise<string> {
  return new Promise((resolve, reject) => {
    const get = tls ? httpsGet : httpGet;
    const signal = AbortSignal.timeout(metricsMs);
    const request = get(url, { ...tls, signal, agent: false }, (response) => {
      let page = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        page += chunk;
        if (page.length > pageBytesMax) request.destroy(new Error("too long"));
      });
      response.on("end", () => resolve(page));
      response.on("error", reject);
    });
    request.on("error", reject);
  });
}

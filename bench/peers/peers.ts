/**
 * Measures the peers that this machine can run.
 *
 *     const rows = await runPeers({ tasks: 20_000, warmup: 5_000, rounds: 3, log: console.error });
 *
 * Not measured: job functions that do something, inputs larger than a number, a network between the
 * processes, more than one Redis.
 */
import { benchBullmq } from "./bullmq.ts";
import { benchGraphile } from "./graphile.ts";
import { ensurePeersInstalled } from "./install.ts";
import type { PeerName, PeerOptions, PeerRow } from "./model.ts";

const PEERS: Readonly<Record<PeerName, (options: PeerOptions) => Promise<readonly PeerRow[]>>> = {
  bullmq: benchBullmq,
  "graphile-worker": benchGraphile,
};

/**
 * A peer whose server or package is missing gives one "skipped" row. A peer that loses or doubles a
 * task, or fails, throws: its numbers would mean nothing.
 */
export async function runPeers(options: PeerOptions): Promise<PeerRow[]> {
  const names: readonly PeerName[] = options.only ?? ["bullmq", "graphile-worker"];
  try {
    ensurePeersInstalled((line) => options.log?.(line));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return names.map((name) => ({ what: "skipped", name, reason }));
  }
  const rows: PeerRow[] = [];
  for (const name of names) rows.push(...(await PEERS[name](options)));
  return rows;
}

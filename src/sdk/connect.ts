// Connecting: to the cluster that SKEIN_URL names, else to a laptop cluster of one's own.

import { createClient } from "../client/index.ts";
import type { Transport } from "../client/index.ts";
import { SkeinError } from "../protocol/errors.ts";
import { startLaptop } from "./laptop.ts";
import type { Laptop } from "./laptop.ts";
import { findToken, parseMasters } from "./locate.ts";
import { openNodeTransport } from "./node-transport.ts";
import { Skein } from "./skein.ts";

export interface ConnectOptions {
  /** Address of a master, or several with commas: "http://a:7420,http://b:7420". Else `$SKEIN_URL`. */
  readonly url?: string | undefined;
  /** Else `$SKEIN_TOKEN`, else the file `token` of the data directory. */
  readonly token?: string | undefined;
  /** Where the token file is, or a laptop cluster keeps its data. Else `$SKEIN_DATA`, or the default. */
  readonly dataDir?: string | undefined;
  /** Worker processes of a laptop cluster; 1 unless set. */
  readonly workers?: number | undefined;
  /** Master processes of a laptop cluster, of which one leads; 1 unless set. */
  readonly masters?: number | undefined;
  /** How long a call tries again, in milliseconds; 30,000 unless set. */
  readonly retryMs?: number | undefined;
  /** Ends the attempt to connect. */
  readonly signal?: AbortSignal | undefined;
}

const connectMs = 5_000;

/**
 * Connects to a cluster. Without an address it starts one on this machine, of child processes, that ends
 * with `close` or `await using`.
 *
 * @example
 * await using skein = await connect();
 * const squares = await (await skein.map(square, [1, 2, 3])).results();
 * @throws SkeinError `inside_task`, `unauthorized`, `unreachable`
 */
export async function connect(options: ConnectOptions = {}): Promise<Skein> {
  const { dataDir, signal, retryMs } = options;
  const masters = parseMasters(options.url ?? process.env["SKEIN_URL"] ?? "");
  if (masters.length === 0 && process.env["SKEIN_SLOT"]) {
    // Functions never come here: their bundles hold another connect. A command may, and may name a cluster.
    const message = "connect() would start a cluster inside a task.";
    throw new SkeinError("inside_task", message, { hint: "Set SKEIN_URL for the command." });
  }
  const laptop =
    masters.length === 0
      ? await startLaptop({ dataDir, signal, workers: options.workers, masters: options.masters })
      : undefined;
  const { transport, close } = await openNodeTransport();
  const closeAll = async () => {
    await close();
    await laptop?.close();
  };
  try {
    const client = createClient({
      masters: laptop?.urls ?? masters,
      token: laptop?.token ?? (await findToken(options)),
      transport: laptop ? guarded(transport, laptop) : transport,
      retryMs,
    });
    // A wrong address or token is told here, not at the first submit.
    await client.version({ signal, retryMs: connectMs });
    // So that the death of the one master that was named is survived too. Without an answer: so be it.
    if (!laptop) await client.masters({ signal, retryMs: 0 }).catch(() => {});
    return new Skein(client, closeAll);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** A laptop cluster that ended does not come back: calls fail at once, and say so. */
function guarded(transport: Transport, laptop: Laptop): Transport {
  return async (request) => {
    try {
      return await transport(request);
    } catch (cause) {
      const why = laptop.ended();
      if (why === undefined) throw cause;
      throw new SkeinError("unreachable", `The laptop cluster has ended: ${why}`, { cause });
    }
  };
}

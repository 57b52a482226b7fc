// Stored payloads on their way to the cluster: bundles and large inputs.
//
// A bundle is not sent before a master says that it misses it: most often it is there. Its hash is checked
// at every submit anyway (A1), so no memory of what was sent can be wrong.

import type { Client } from "../client/index.ts";
import { SkeinError } from "../protocol/errors.ts";

export type Payloads = ReadonlyMap<string, Uint8Array>;

const uploadsMax = 4;

export class Uploads {
  readonly #client: Client;
  /** One upload of a hash at a time, whoever asks. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(client: Client) {
    this.#client = client;
  }

  /** Sends; when a payload is missing there, uploads these and sends once more. */
  async sendWith<T>(
    payloads: Payloads,
    signal: AbortSignal | undefined,
    send: () => Promise<T>,
  ): Promise<T> {
    try {
      return await send();
    } catch (error) {
      const missing = error instanceof SkeinError && error.code === "payload_missing";
      if (!missing || payloads.size === 0) throw error;
    }
    await this.put(payloads, signal);
    return send();
  }

  /** Uploads all, a few at a time. */
  async put(payloads: Payloads, signal: AbortSignal | undefined): Promise<void> {
    const left = payloads.entries();
    const one = async () => {
      for (const [hash, bytes] of left) await this.#putOne(hash, bytes, signal);
    };
    const lanes = Math.min(uploadsMax, payloads.size);
    await Promise.all(Array.from({ length: lanes }, one));
  }

  #putOne(hash: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const known = this.#underWay.get(hash);
    // Another's upload may be aborted by another's signal: then it is ours to do.
    if (known) {
      return known.catch((error: unknown) => {
        if (error instanceof SkeinError) throw error;
        return this.#putOne(hash, bytes, signal);
      });
    }
    const upload = this.#client
      .putPayload(hash, bytes, { signal })
      .finally(() => this.#underWay.delete(hash));
    this.#underWay.set(hash, upload);
    return upload;
  }
}

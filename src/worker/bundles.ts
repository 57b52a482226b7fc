// Bundles of user code on this worker's disk, by hash. Fetched once, verified, then loaded by
// slots.

import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { SkeinError } from "../protocol/errors.ts";
import { hashPattern, type PayloadHash } from "../protocol/ids.ts";
import type { MasterHttp } from "./master-http.ts";

export interface BundlesOptions {
  readonly folder: string;
  readonly http: MasterHttp;
  readonly signal: AbortSignal;
}

export class Bundles {
  readonly #o: BundlesOptions;
  /** Ready or on their way. A failure is forgotten, so that the next slot tries again. */
  readonly #paths = new Map<PayloadHash, Promise<string>>();

  constructor(options: BundlesOptions) {
    this.#o = options;
  }

  /** The path of a bundle's module, once it is there; rejects when the cluster does not have it. */
  path(hash: PayloadHash): Promise<string> {
    const known = this.#paths.get(hash);
    if (known) return known;
    const path = this.#fetch(hash);
    this.#paths.set(hash, path);
    path.catch(() => this.#paths.delete(hash));
    return path;
  }

  async #fetch(hash: PayloadHash): Promise<string> {
    if (!hashPattern.test(hash)) throw new SkeinError("bad_request", `${hash} is no hash`);
    const { folder, http, signal } = this.#o;
    const file = join(folder, `${hash}.mjs`);
    if (await isThere(file, hash)) return file;
    const answer = await http.request(
      { method: "GET", path: `/v1/payloads/${hash}`, signal },
      (body) => body.bytes(),
    );
    if (answer.kind !== "ok") {
      throw new SkeinError(
        "payload_missing",
        `The bundle ${hash} is not stored: ${answer.message}`,
      );
    }
    if (hashOf(answer.value) !== hash) {
      throw new SkeinError("payload_differs", `What came as bundle ${hash} has another hash`);
    }
    await mkdir(folder, { recursive: true });
    // A slot must never see half a file, and a crash must not leave one under this name.
    const draft = `${file}.${process.pid}.draft`;
    try {
      const handle = await open(draft, "w");
      try {
        await handle.writeFile(answer.value);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, file);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
    return file;
  }
}

async function isThere(file: string, hash: PayloadHash): Promise<boolean> {
  try {
    return hashOf(await readFile(file)) === hash;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

function hashOf(bytes: Uint8Array): PayloadHash {
  return createHash("sha256").update(bytes).digest("hex");
}

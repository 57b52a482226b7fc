// Files copied from other masters into a folder of their own, until they are whole and fsynced. A copy that was cut
// goes on where it ended, if the next answer is of the same file.

import { mkdir, open, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { fileNameHeader, getFromPeer } from "./peer-http.ts";
import type { PeerAnswer } from "./peer-http.ts";

export interface DownloadGet {
  readonly token: string;
  /** The file of a name never changes. */
  readonly resume: boolean;
  readonly beginMs?: number;
}

interface Part {
  readonly name: string;
  readonly file: string;
}

export class PeerDownload {
  readonly #dir: string;
  /** Path on the other master → what is here of it. */
  readonly #partials = new Map<string, Part>();
  #count = 0;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  static async open(dir: string): Promise<PeerDownload> {
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    return new PeerDownload(dir);
  }

  /** Resolves with a file here, whole and fsynced; it is the caller's. Rejects when it is cut, and may be asked again. */
  async get(address: string, path: string, get: DownloadGet): Promise<string> {
    const before = get.resume ? this.#partials.get(path) : undefined;
    const have = before ? (await stat(before.file)).size : 0;
    const range = have > 0 ? { start: have } : undefined;
    const answer = await getFromPeer(address, path, { ...get, range });
    const name = String(answer.headers[fileNameHeader] ?? "");
    const goesOn = answer.status === 206 && name === before?.name;
    if (answer.status !== 200 && !goesOn) {
      drop(answer);
      await this.#forget(path);
      throw new Error(`${path} was answered with ${answer.status}`);
    }
    if (!goesOn) await this.#forget(path);
    const file = before && goesOn ? before.file : join(this.#dir, String(++this.#count));
    this.#partials.set(path, { name, file });
    await write(file, goesOn ? have : 0, answer);
    this.#partials.delete(path);
    return file;
  }

  async discard(file: string): Promise<void> {
    await rm(file, { force: true });
  }

  async close(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #forget(path: string): Promise<void> {
    const partial = this.#partials.get(path);
    this.#partials.delete(path);
    if (partial) await rm(partial.file, { force: true });
  }
}

async function write(file: string, from: number, { body, headers }: PeerAnswer): Promise<void> {
  const handle: FileHandle = await open(file, from > 0 ? "a" : "w");
  try {
    let bytes = 0;
    for await (const piece of body) {
      // A stream without an encoding gives buffers.
      await handle.appendFile(piece as Uint8Array);
      bytes += (piece as Uint8Array).length;
    }
    const length = Number(headers["content-length"] ?? bytes);
    if (bytes !== length) throw new Error(`it ended after ${bytes} of ${length} bytes`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function drop({ body }: PeerAnswer): void {
  body.on("error", () => {}); // what is left of it matters no more
  body.destroy();
}

// What a new master copies from this one (A6): the newest snapshot that verifies, the archive as of one moment, and
// the segments of the history. Files are handed out by names that this master gave them, never by a path.

import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { SkeinError } from "../protocol/errors.ts";
import type { Archive } from "./archive/archive.ts";
import { listSegments } from "./history/history-folder.ts";
import { latestUsable } from "./snapshots/snapshots.ts";

export interface PeerFile {
  readonly name: string;
  readonly file: string;
  readonly size: number;
  /** When it has been sent, or not: a copy made for this one reader goes. */
  readonly done: () => Promise<void>;
}

export interface HistoryFile {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

export interface PeerFilesOptions {
  /** The master's own directory: the layout is that of master.ts. */
  readonly dir: string;
  readonly journalId: string;
  readonly archive: Archive;
}

export class PeerFiles {
  readonly #options: PeerFilesOptions;
  readonly #copies: string;
  #copying = false;
  #count = 0;

  constructor(options: PeerFilesOptions) {
    this.#options = options;
    this.#copies = join(options.dir, "archive-copies");
  }

  async snapshot(): Promise<PeerFile | undefined> {
    const { dir, journalId } = this.#options;
    const { found } = await latestUsable(join(dir, "snapshots"), { journalId });
    return found && fileAt(found.file.file);
  }

  /** One at a time: each takes as much room as the archive itself, and holds its thread up while it is made. */
  async archive(): Promise<PeerFile> {
    const { archive } = this.#options;
    if (!archive.copyTo) throw new SkeinError("not_found", "This master's archive has no file.");
    if (this.#copying) {
      const words = "The archive is being copied for another master.";
      throw new SkeinError("overloaded", words, { retryAfter: 5 });
    }
    this.#copying = true;
    const file = join(this.#copies, `archive.${process.pid}.${++this.#count}.db`);
    const done = async () => {
      this.#copying = false;
      await rm(file, { force: true });
    };
    try {
      await this.#clear();
      await archive.copyTo(file);
      return { ...(await fileAt(file)), done };
    } catch (error) {
      await done();
      throw error;
    }
  }

  async history(): Promise<readonly HistoryFile[]> {
    const segments = await listSegments(join(this.#options.dir, "history"));
    return segments.map(({ file, first, last, bytes }) => {
      return { name: basename(file), first, last, bytes };
    });
  }

  /** Undefined when it is not there (any more). */
  async historyFile(name: string): Promise<PeerFile | undefined> {
    const dir = join(this.#options.dir, "history");
    const found = (await listSegments(dir)).find(({ file }) => basename(file) === name);
    return found && { ...(await fileAt(found.file)), size: found.bytes };
  }

  /** What a crash left over. */
  async #clear(): Promise<void> {
    await mkdir(this.#copies, { recursive: true });
    for (const name of await readdir(this.#copies)) {
      await rm(join(this.#copies, name), { force: true });
    }
  }
}

async function fileAt(file: string): Promise<PeerFile> {
  const { size } = await stat(file);
  return { name: basename(file), file, size, done: async () => {} };
}

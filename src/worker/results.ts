// The bytes of stored results, until what names them is recorded (A1): a master that has them may lose them
// before that, and then only this worker can spare the task a second run.
//
// Owns the folder results/, one file per hash, and what the leader is known to have. Does not own: reports
// (reports.ts), and when they go (outbox.ts).
//
//   R1. Bytes are counted once for every outcome that names them, and go when all of these are recorded.
//   R2. That the leader has them is the word of one session. A new one begins with nothing, and an answer
//       to a request that began before it does not count.
//   R3. What is nowhere here counts as had, since nothing is to be waited for: the leader says what becomes
//       of an outcome without its bytes.

import { copyFile, link, mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { linkAbortController } from "../lib/abort.ts";
import type { Log } from "../lib/log.ts";
import type { MasterHttp } from "./master-http.ts";
import type { SessionNumber } from "./session.ts";
import { Turns } from "./turns.ts";
import { identify, isStored, type ResultSource, type StoredResult, upload } from "./upload.ts";

/** What the agent asks. Calls return at once. */
export interface ResultKeeper {
  /** On this machine's disk. */
  readonly bytes: number;
  /** A leader is listened to, on a session that is new. */
  begin(session: SessionNumber): void;
  end(): void;
  /** Whether nothing is to be waited for before this session's leader hears of them (R2, R3). */
  areHad(hashes: readonly string[]): boolean;
  /** Asks the leader, and stores what it lacks; calls back once they are had, if the session lives. */
  bring(hashes: readonly string[], done: () => void): void;
  /** So many outcomes that name them are recorded, or will never be told. */
  forget(hashes: readonly string[]): void;
}

export interface ResultsOptions {
  readonly folder: string;
  readonly http: MasterHttp;
  readonly log: Log;
  /** The worker ends. */
  readonly signal: AbortSignal;
  readonly found: readonly FoundResult[];
}

export interface FoundResult extends StoredResult {
  /** Outcomes that name it. */
  readonly claims: number;
}

/**
 * What an earlier incarnation kept, in a folder that is made if need be. `named`: by its spool, each as often
 * as it is; what nobody names any more is removed.
 */
export async function findResults(
  folder: string,
  named: readonly string[],
): Promise<readonly FoundResult[]> {
  const claims = new Map<string, number>();
  for (const hash of named) claims.set(hash, (claims.get(hash) ?? 0) + 1);
  await mkdir(folder, { recursive: true });
  const found: FoundResult[] = [];
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const count = claims.get(name);
    if (count === undefined) await rm(file, { recursive: true, force: true });
    else found.push({ hash: name, claims: count, size: (await stat(file)).size });
  }
  return found;
}

/** Questions to the leader at one time, and uploads of what it lacks. */
const asksMax = 8;
const uploadsMax = 2;

interface Kept {
  claims: number;
  size: number;
  /** Undefined where no way was found to keep them. */
  source: ResultSource | undefined;
  /** Settles when they are kept, or cannot be. */
  keeping: Promise<void>;
  /** Ends the upload that goes on for them. */
  readonly ended: AbortController;
}

export class Results implements ResultKeeper {
  readonly #o: ResultsOptions;
  readonly #kept = new Map<string, Kept>();
  /** Files on their way out. */
  readonly #removing = new Map<string, Promise<void>>();
  readonly #had = new Set<string>();
  /** Neither with this session's leader nor here (R3). */
  readonly #lost = new Set<string>();
  readonly #bringing = new Map<string, Promise<void>>();
  readonly #asks = new Turns(asksMax);
  readonly #uploads = new Turns(uploadsMax);
  #session: SessionNumber | undefined;
  #sessionEnds = new AbortController();
  #bytes = 0;

  constructor(options: ResultsOptions) {
    this.#o = options;
    for (const { hash, claims, size } of options.found) {
      const source = { file: this.#file(hash) };
      const keeping = Promise.resolve();
      this.#kept.set(hash, { claims, size, source, keeping, ended: new AbortController() });
      this.#bytes += size;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  // ── what slots give ────────────────────────────────────────────────────────────────────

  /**
   * Keeps bytes and stores them with the leader, for one outcome that will name them; waits for one as long
   * as it takes. A file stays the caller's. Rejects when it cannot be stored: then nothing is kept of it.
   */
  async store(source: ResultSource): Promise<StoredResult> {
    const stored = await identify(source);
    const kept = this.#claim(stored, source);
    const { signal } = this.#o;
    try {
      await kept.keeping;
      const session = this.#session;
      if (session === undefined || !this.#had.has(stored.hash)) {
        await upload(this.#o.http, stored, source, signal);
        // The same session from first to last, or nobody knows who has taken it (R2).
        if (session !== undefined && session === this.#session) this.#had.add(stored.hash);
      }
      return stored;
    } catch (error) {
      this.forget([stored.hash]);
      throw error;
    }
  }

  #claim({ hash, size }: StoredResult, source: ResultSource): Kept {
    const known = this.#kept.get(hash);
    if (known) {
      known.claims++;
      // The one before may have found no way to keep it.
      known.keeping = known.keeping.then(() => this.#keep(hash, known, source));
      return known;
    }
    const ended = new AbortController();
    const kept: Kept = { claims: 1, size, source: undefined, keeping: Promise.resolve(), ended };
    this.#kept.set(hash, kept);
    this.#bytes += size;
    kept.keeping = this.#keep(hash, kept, source);
    return kept;
  }

  /** Never rejects: a result that cannot be kept is stored all the same. */
  async #keep(hash: string, kept: Kept, source: ResultSource): Promise<void> {
    if (kept.source) return;
    await this.#removing.get(hash);
    const file = this.#file(hash);
    try {
      if ("bytes" in source) await writeFile(file, source.bytes);
      else await linkOrCopy(source.file, file);
      kept.source = { file };
    } catch (error) {
      this.#o.log.warn("a result could not be kept until it is recorded", { file, error });
      await rm(file, { force: true }).catch(() => {});
      if ("bytes" in source) kept.source = source;
    }
  }

  #file(hash: string): string {
    return join(this.#o.folder, hash);
  }

  // ── what the agent asks ────────────────────────────────────────────────────────────────

  begin(session: SessionNumber): void {
    this.end();
    this.#session = session;
    this.#sessionEnds = linkAbortController(this.#o.signal);
  }

  end(): void {
    this.#session = undefined;
    this.#sessionEnds.abort(new Error("the session has ended"));
    this.#had.clear();
    this.#lost.clear();
    this.#bringing.clear();
  }

  areHad(hashes: readonly string[]): boolean {
    return hashes.every((hash) => this.#had.has(hash) || this.#lost.has(hash));
  }

  bring(hashes: readonly string[], done: () => void): void {
    const session = this.#session;
    if (session === undefined) return;
    const wanted = [...new Set(hashes)].filter((hash) => !this.areHad([hash]));
    const all = wanted.map((hash) => this.#bringing.get(hash) ?? this.#bringOne(hash));
    void Promise.allSettled(all).then(() => {
      if (this.#listensTo(session)) done();
    });
  }

  #bringOne(hash: string): Promise<void> {
    const session = this.#session;
    const kept = this.#kept.get(hash);
    const bringing = this.#make(hash, this.#sessionEnds).then(
      () => {
        if (!this.#listensTo(session)) return;
        this.#had.add(hash);
        this.#bringing.delete(hash);
      },
      (error: unknown) => {
        if (!this.#listensTo(session)) return;
        this.#bringing.delete(hash);
        if (kept && this.#kept.get(hash) !== kept) return; // recorded meanwhile
        this.#lost.add(hash);
        const said = "a result is not with the leader and cannot be stored again";
        this.#o.log.error(said, { hash, error });
      },
    );
    this.#bringing.set(hash, bringing);
    return bringing;
  }

  #listensTo(session: SessionNumber | undefined): boolean {
    return session === this.#session && !this.#o.signal.aborted;
  }

  /** Rejects when it cannot be had. */
  async #make(hash: string, { signal }: AbortController): Promise<void> {
    const { http, log } = this.#o;
    if (await this.#asks.run(() => isStored(http, hash, signal))) return;
    const kept = this.#kept.get(hash);
    await kept?.keeping;
    if (!kept?.source) throw new Error("its bytes are not here any more");
    const { source, size } = kept;
    await this.#uploads.run(async () => {
      // The session has ended, or all is recorded.
      const ends = AbortSignal.any([signal, kept.ended.signal]);
      const here = await identify(source).catch(() => undefined);
      if (here?.hash !== hash) {
        kept.source = undefined;
        await rm(this.#file(hash), { force: true });
        throw new Error("its bytes are gone or damaged here");
      }
      log.info("a leader lacks a result that is not recorded: it is stored again", { hash, size });
      await upload(http, here, source, ends);
    });
  }

  forget(hashes: readonly string[]): void {
    for (const hash of hashes) {
      const kept = this.#kept.get(hash);
      if (!kept || --kept.claims > 0) continue;
      this.#kept.delete(hash);
      this.#had.delete(hash);
      this.#bytes -= kept.size;
      kept.ended.abort(new Error("the result is recorded"));
      const removing = kept.keeping
        .then(() => rm(this.#file(hash), { force: true }))
        .catch((error: unknown) =>
          this.#o.log.warn("a recorded result could not be removed", { hash, error }),
        )
        .finally(() => {
          if (this.#removing.get(hash) === removing) this.#removing.delete(hash);
        });
      this.#removing.set(hash, removing);
    }
  }

  /** Resolves when what is forgotten is removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#removing.values());
  }
}

/** No byte is moved where the file system has links. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    const draft = `${to}.draft`;
    try {
      await copyFile(from, draft);
      await rename(draft, to);
    } finally {
      await rm(draft, { force: true });
    }
  }
}

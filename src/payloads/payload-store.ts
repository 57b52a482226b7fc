// Payloads on one machine's disk, by content: what is too large to travel inline (A1).
//
// Owns a folder, alone: one process, one store. Does not own: which payloads may be freed (an entry
// says so), and copies on other masters.
//
//   P1  What `put` resolved is fsynced, under its name, and its bytes have its hash.
//   P2  A put that fails, or dies with its process, leaves nothing that `has` would name.
//   P3  No put waits for another one's client: each writes its own draft, the first to finish wins
//       and the others only drain. A slow client cannot hold up a quick one.
//   P4  Renames and deletions of one hash follow each other, so that freeing an old copy never
//       removes a new one.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, rm, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { silentLog, type Log } from "../lib/log.ts";
import { SkeinError } from "../protocol/errors.ts";
import { hashPattern, type PayloadHash } from "../protocol/ids.ts";
import { codeOf, diskError, makePlaces, payloadFile, publish } from "./payload-files.ts";
import { scanPlaces, setAside, type Places } from "./payload-files.ts";

/** Bytes `start` … `end - 1`, as in `slice`; cut to what is there. */
export interface PayloadRange {
  readonly start: number;
  readonly end: number;
}

export interface PayloadRead extends PayloadRange {
  /** Of the whole payload. */
  readonly size: number;
  /** Consume it or destroy it: it holds the file open, also when the payload is deleted. */
  readonly stream: Readable;
}

export interface PayloadStore {
  has(hash: PayloadHash): boolean;
  size(hash: PayloadHash): number | undefined;
  /** Resolves with the size once it is durable. A source that is not taken whole is closed. */
  put(hash: PayloadHash, source: PayloadSource, options: PutOptions): Promise<number>;
  /** Undefined when it is not here. Not checked on the way: who receives it knows the hash. */
  read(hash: PayloadHash, range?: Partial<PayloadRange>): Promise<PayloadRead | undefined>;
  /** The whole, checked. Undefined when it is not here, or was found damaged and set aside. */
  bytes(hash: PayloadHash): Promise<Uint8Array | undefined>;
  /** Reads it all; what is damaged is set aside and counts as missing from then on. */
  verify(hash: PayloadHash): Promise<"intact" | "damaged" | "missing">;
  /** Bytes freed. Hashes that are not here are skipped. */
  delete(hashes: Iterable<PayloadHash>): Promise<number>;
  /** All that is here: for comparing with what the state names after a restart. */
  hashes(): IterableIterator<PayloadHash>;
  usage(): { readonly payloads: number; readonly bytes: number };
}

export type PayloadSource = Uint8Array | AsyncIterable<Uint8Array>;

export interface PutOptions {
  readonly maxBytes: number;
}

export interface PayloadStoreOptions {
  readonly dir: string;
  readonly log?: Log;
}

export async function openPayloadStore(options: PayloadStoreOptions): Promise<PayloadStore> {
  const log = options.log ?? silentLog;
  try {
    const places = await makePlaces(options.dir);
    return new DiskStore(places, log, await scanPlaces(places, log));
  } catch (cause) {
    throw diskError(cause, `The payload store at ${options.dir} cannot be opened`);
  }
}

const sliceBytes = 256 * 1024;

class DiskStore implements PayloadStore {
  readonly #places: Places;
  readonly #log: Log;
  readonly #sizes: Map<PayloadHash, number>;
  /** Puts from memory: they cannot stall, so equal ones are one. */
  readonly #fromMemory = new Map<PayloadHash, Promise<number>>();
  /** The last rename or deletion of a hash (P4). */
  readonly #settling = new Map<PayloadHash, Promise<void>>();
  #bytes = 0;
  #drafts = 0;

  constructor(places: Places, log: Log, sizes: Map<PayloadHash, number>) {
    this.#places = places;
    this.#log = log;
    this.#sizes = sizes;
    for (const size of sizes.values()) this.#bytes += size;
  }

  has(hash: PayloadHash): boolean {
    return this.#sizes.has(hash);
  }

  size(hash: PayloadHash): number | undefined {
    return this.#sizes.get(hash);
  }

  hashes(): IterableIterator<PayloadHash> {
    return this.#sizes.keys();
  }

  usage(): { payloads: number; bytes: number } {
    return { payloads: this.#sizes.size, bytes: this.#bytes };
  }

  async put(hash: PayloadHash, source: PayloadSource, { maxBytes }: PutOptions): Promise<number> {
    if (!hashPattern.test(hash)) {
      throw new SkeinError("bad_request", "A payload is named by 64 lower-case hex digits");
    }
    if (!(source instanceof Uint8Array)) return this.#receive(hash, source, maxBytes);
    if (source.length > maxBytes) throw tooLarge(hash, maxBytes);
    const known = this.#fromMemory.get(hash);
    if (known) return known;
    const putting = this.#receive(hash, slices(source), maxBytes);
    this.#fromMemory.set(hash, putting);
    return putting.finally(() => this.#fromMemory.delete(hash));
  }

  async #receive(
    hash: PayloadHash,
    source: AsyncIterable<Uint8Array>,
    maxBytes: number,
  ): Promise<number> {
    let draft = this.has(hash) ? undefined : await this.#openDraft(hash);
    let received = 0;
    try {
      for await (const chunk of source) {
        received += chunk.length;
        if (received > maxBytes) throw tooLarge(hash, maxBytes);
        if (draft && this.has(hash)) draft = await draft.discard();
        await draft?.write(chunk);
      }
      if (draft && this.has(hash)) draft = await draft.discard();
      if (!draft) return this.#drained(hash, received);
      const actual = draft.digest();
      if (actual !== hash) throw differs(hash, `they have ${actual}`);
      await draft.finish();
      const { path } = draft;
      await this.#alone(hash, () => this.#keep(hash, path, received));
      return received;
    } finally {
      await draft?.discard();
    }
  }

  #drained(hash: PayloadHash, received: number): number {
    const size = this.#sizes.get(hash);
    if (size === undefined) {
      throw new SkeinError("internal", `Payload ${hash} was freed while it was sent again`, {
        hint: "Send it again.",
      });
    }
    if (size !== received) throw differs(hash, `it has ${size} bytes, ${received} were sent`);
    return size;
  }

  async #openDraft(hash: PayloadHash): Promise<Draft> {
    const path = join(this.#places.incoming, `${hash}.${++this.#drafts}`);
    try {
      return new Draft(path, await open(path, "wx"));
    } catch (cause) {
      throw diskError(cause, `Payload ${hash} cannot be stored`);
    }
  }

  async #keep(hash: PayloadHash, draft: string, size: number): Promise<void> {
    if (this.has(hash)) return;
    const file = payloadFile(this.#places, hash, size);
    try {
      await publish(draft, file, dirname(file));
    } catch (cause) {
      // Its name may be there without being durable: better not there at all.
      await rm(file, { force: true }).catch(() => {});
      throw diskError(cause, `Payload ${hash} cannot be stored`);
    }
    this.#sizes.set(hash, size);
    this.#bytes += size;
  }

  async read(
    hash: PayloadHash,
    range: Partial<PayloadRange> = {},
  ): Promise<PayloadRead | undefined> {
    const size = this.#sizes.get(hash);
    const handle = await this.#open(hash);
    if (size === undefined || !handle) return undefined;
    const end = Math.min(range.end ?? size, size);
    const start = Math.min(Math.max(range.start ?? 0, 0), end);
    if (start < end) {
      const stream = handle.createReadStream({ start, end: end - 1, highWaterMark: sliceBytes });
      return { size, start, end, stream };
    }
    await handle.close();
    return { size, start, end, stream: Readable.from([]) };
  }

  async bytes(hash: PayloadHash): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(this.#sizes.get(hash) ?? 0);
    let offset = 0;
    const state = await this.#check(hash, (chunk) => {
      bytes.set(chunk, offset);
      offset += chunk.length;
    });
    return state === "intact" ? bytes : undefined;
  }

  verify(hash: PayloadHash): Promise<"intact" | "damaged" | "missing"> {
    return this.#check(hash, () => {});
  }

  async #check(
    hash: PayloadHash,
    take: (chunk: Uint8Array) => void,
  ): Promise<"intact" | "damaged" | "missing"> {
    const size = this.#sizes.get(hash);
    const handle = await this.#open(hash);
    if (size === undefined || !handle) return "missing";
    const hasher = createHash("sha256");
    let left = size;
    try {
      // In slices, hashed as they come: half a gigabyte in one go would stop the loop for as long.
      for await (const chunk of handle.createReadStream({ highWaterMark: sliceBytes })) {
        const bytes = chunk as Uint8Array; // a stream without an encoding gives buffers
        left -= bytes.length;
        if (left < 0) break;
        hasher.update(bytes);
        take(bytes);
      }
    } catch (cause) {
      throw diskError(cause, `Payload ${hash} cannot be read`);
    }
    if (left === 0 && hasher.digest("hex") === hash) return "intact";
    await this.#alone(hash, () => this.#setAside(hash, size));
    return "damaged";
  }

  async #setAside(hash: PayloadHash, size: number): Promise<void> {
    if (this.#sizes.get(hash) !== size) return;
    this.#forget(hash, size);
    await setAside(this.#places, payloadFile(this.#places, hash, size), "other hash", this.#log);
  }

  /** From the set at once: whoever asks from now on hears that they are not here. */
  async delete(hashes: Iterable<PayloadHash>): Promise<number> {
    let freed = 0;
    const removals: Promise<void>[] = [];
    for (const hash of hashes) {
      const size = this.#sizes.get(hash);
      if (size === undefined) continue;
      // A crash before the file is gone leaves one that nobody names, which is harmless.
      this.#forget(hash, size);
      freed += size;
      // One that was put again meanwhile stays.
      const remove = async () => {
        if (this.#sizes.has(hash)) return;
        await rm(payloadFile(this.#places, hash, size), { force: true });
      };
      removals.push(this.#alone(hash, remove));
    }
    await Promise.all(removals);
    return freed;
  }

  #forget(hash: PayloadHash, size: number): void {
    if (this.#sizes.delete(hash)) this.#bytes -= size;
  }

  async #open(hash: PayloadHash): Promise<FileHandle | undefined> {
    const size = this.#sizes.get(hash);
    if (size === undefined) return undefined;
    try {
      return await open(payloadFile(this.#places, hash, size), "r");
    } catch (cause) {
      if (codeOf(cause) !== "ENOENT") throw diskError(cause, `Payload ${hash} cannot be read`);
      // Deleted meanwhile by ourselves, or by somebody's hand.
      await this.#alone(hash, () => this.#missed(hash, size));
      return undefined;
    }
  }

  async #missed(hash: PayloadHash, size: number): Promise<void> {
    if (!this.has(hash) || existsSync(payloadFile(this.#places, hash, size))) return;
    this.#log.error("a stored payload is gone from the disk; it counts as missing", { hash });
    this.#forget(hash, size);
  }

  /** Runs `step` after all earlier ones of this hash (P4). */
  async #alone(hash: PayloadHash, step: () => Promise<void>): Promise<void> {
    const before = this.#settling.get(hash);
    const running = before ? before.then(step, step) : step();
    this.#settling.set(hash, running);
    try {
      await running;
    } finally {
      if (this.#settling.get(hash) === running) this.#settling.delete(hash);
    }
  }
}

/** A file in `incoming` and the hash of what was written to it. */
class Draft {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #hasher = createHash("sha256");
  #closed = false;

  constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#hasher.update(chunk);
    await this.#handle.appendFile(chunk).catch((cause: unknown) => {
      throw diskError(cause, "A payload cannot be stored");
    });
  }

  digest(): string {
    return this.#hasher.digest("hex");
  }

  async finish(): Promise<void> {
    try {
      await this.#handle.sync();
      this.#closed = true;
      await this.#handle.close();
    } catch (cause) {
      throw diskError(cause, "A payload cannot be stored");
    }
  }

  /** Removes it unless it was renamed; never fails: it may be called because of another error. */
  async discard(): Promise<undefined> {
    if (!this.#closed) await this.#handle.close().catch(() => {});
    this.#closed = true;
    await rm(this.path, { force: true }).catch(() => {});
    return undefined;
  }
}

async function* slices(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    yield bytes.subarray(at, at + sliceBytes);
  }
}

function tooLarge(hash: PayloadHash, maxBytes: number): SkeinError {
  return new SkeinError("too_large", `Payload ${hash} is larger than ${maxBytes} bytes`, {
    hint: `Send at most ${maxBytes} bytes.`,
  });
}

function differs(hash: PayloadHash, why: string): SkeinError {
  return new SkeinError("payload_differs", `The bytes sent are not payload ${hash}: ${why}`);
}

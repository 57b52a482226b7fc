// A backup as one file: files one after the other, each with its hash, and at the end what they are.
//
//     magic   8 bytes "SKEINBK1"
//     file    u32 length of a header (big-endian), header {"name", "size"}, the bytes, their SHA-256 (32 bytes)
//     …
//     end     u32 length, {"end": …}: what the backup says of itself
//     hash    32 bytes: SHA-256 of the end's header and of all hashes before it
//
//   B1  A file without its end is no backup: it was cut, or never finished.
//   B2  Nothing is taken out before its hash was seen to be right; names are names, never paths out of the folder.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SkeinError } from "../../protocol/errors.ts";
import { syncFolder } from "../snapshots/snapshots.ts";

const magic = Buffer.from("SKEINBK1");
const hashBytes = 32;
const headerBytesMax = 1024 * 1024;
const sliceBytes = 1024 * 1024;
const namePattern = /^(?:[a-z]+\/)?[A-Za-z0-9][A-Za-z0-9.-]*$/;

/** Writes `files` (name → path) and the end; the file has its name only once it is whole and fsynced. */
export async function pack(
  to: string,
  files: ReadonlyMap<string, string>,
  end: object,
): Promise<number> {
  const draft = `${to}.unfinished`;
  const handle = await open(draft, "w", 0o600);
  try {
    const all = createHash("sha256");
    await handle.appendFile(magic);
    for (const [name, path] of files) {
      const { size } = await stat(path);
      await handle.appendFile(headerOf({ name, size }));
      const hash = createHash("sha256");
      for await (const piece of createReadStream(path, { highWaterMark: sliceBytes })) {
        hash.update(piece as Buffer); // a stream without an encoding gives buffers
        await handle.appendFile(piece as Buffer);
      }
      const digest = hash.digest();
      all.update(digest);
      await handle.appendFile(digest);
    }
    const last = headerOf({ end });
    await handle.appendFile(Buffer.concat([last, all.update(last).digest()]));
    await handle.sync();
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await rename(draft, to);
  await syncFolder(dirname(to));
  return (await stat(to)).size;
}

/** Takes all files out into a folder; returns the end. @throws SkeinError `data_unusable` */
export async function unpack(file: string, folder: string): Promise<unknown> {
  const handle = await open(file, "r").catch((cause: unknown) => {
    throw new SkeinError("usage", `The backup ${file} cannot be read.`, { cause });
  });
  try {
    const reader = new Reader(file, handle, (await handle.stat()).size);
    if (!(await reader.take(magic.length)).equals(magic)) throw reader.damaged("it is no backup");
    const all = createHash("sha256");
    for (;;) {
      const { raw, header } = await reader.header();
      if ("end" in header) {
        if (
          !all
            .update(raw)
            .digest()
            .equals(await reader.take(hashBytes))
        ) {
          throw reader.damaged("the hash at its end is not that of its files");
        }
        return header.end;
      }
      all.update(await takeOut(reader, header, folder));
    }
  } finally {
    await handle.close();
  }
}

type Header = { readonly end: unknown } | { readonly name: string; readonly size: number };

async function takeOut(
  reader: Reader,
  { name, size }: Extract<Header, { name: string }>,
  folder: string,
): Promise<Buffer> {
  if (!namePattern.test(name) || !Number.isSafeInteger(size) || size < 0) {
    throw reader.damaged(`it names a file ${JSON.stringify(name).slice(0, 100)}`);
  }
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const out = await open(path, "w", 0o600);
  try {
    const hash = createHash("sha256");
    for (let left = size; left > 0;) {
      const piece = await reader.take(Math.min(left, sliceBytes));
      hash.update(piece);
      await out.appendFile(piece);
      left -= piece.length;
    }
    await out.sync();
    const digest = hash.digest();
    if (digest.equals(await reader.take(hashBytes))) return digest;
    throw reader.damaged(`the hash of ${name} is not that of its bytes`);
  } finally {
    await out.close();
  }
}

class Reader {
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #size: number;
  #at = 0;

  constructor(file: string, handle: FileHandle, size: number) {
    this.#file = file;
    this.#handle = handle;
    this.#size = size;
  }

  async take(length: number): Promise<Buffer> {
    if (this.#at + length > this.#size) throw this.damaged("it ends too early");
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length;) {
      const at = this.#at + done;
      const { bytesRead } = await this.#handle.read(bytes, done, length - done, at);
      if (bytesRead === 0) throw this.damaged("it ends too early");
      done += bytesRead;
    }
    this.#at += length;
    return bytes;
  }

  async header(): Promise<{ raw: Buffer; header: Header }> {
    const length = await this.take(4);
    const size = length.readUInt32BE(0);
    if (size > headerBytesMax) throw this.damaged(`a header claims ${size} bytes`);
    const json = await this.take(size);
    try {
      const header = JSON.parse(json.toString()) as Header;
      return { raw: Buffer.concat([length, json]), header };
    } catch {
      throw this.damaged("a header is not readable");
    }
  }

  damaged(why: string): SkeinError {
    return new SkeinError("data_unusable", `The backup ${this.#file} cannot be used: ${why}.`, {
      hint: "Use another backup; nothing was restored.",
    });
  }
}

function headerOf(header: object): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length, 0);
  return Buffer.concat([length, json]);
}

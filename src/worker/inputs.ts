// Inputs that are references (protocol/lines.ts): a stored payload, or a value with results of
// other jobs in it. Results are put in as the bytes they are: nobody but the slot parses them.
//
// Many tasks share an upstream, so what was fetched is kept for a while, and fetched once at a
// time.

import { createHash } from "node:crypto";
import type { Dispatcher } from "undici";
import { limits } from "../protocol/limits.ts";
import { isReferenceLine, type OutputRef, type ReferenceLine } from "../protocol/lines.ts";
import { hashPattern, jobIdPattern } from "../protocol/ids.ts";
import type { JobDescriptor } from "../protocol/messages.ts";
import type { Log } from "../lib/log.ts";
import type { ResolvedInput, ResolveInput } from "./lanes.ts";
import { GoneError, type MasterHttp, type MasterRequest } from "./master-http.ts";

const cacheBytesMax = 64 * 1024 * 1024;
const newline = 10;

type Body = Dispatcher.ResponseData["body"];
type Read = (body: Body) => Promise<Uint8Array>;

interface Cached {
  readonly bytes: Promise<Uint8Array>;
  /** 0 until it is there. */
  size: number;
  /** Attempts that wait for it; the fetch is stopped when there are none. */
  waiting: number;
  readonly stop: AbortController;
}

export class Inputs {
  readonly #http: MasterHttp;
  readonly #log: Log;
  /** By path; the least recently used first. */
  readonly #cache = new Map<string, Cached>();
  #cacheBytes = 0;

  constructor(http: MasterHttp, log: Log) {
    this.#http = http;
    this.#log = log;
  }

  readonly resolve: ResolveInput = (job, line, done) => {
    const stop = new AbortController();
    void this.#answer(job, line, stop.signal, done);
    return () => stop.abort(new Error("the attempt was taken back"));
  };

  /** Never rejects: what cannot be resolved ends the attempt. */
  async #answer(
    job: JobDescriptor,
    line: Uint8Array,
    signal: AbortSignal,
    done: (resolved: ResolvedInput) => void,
  ): Promise<void> {
    let resolved: ResolvedInput;
    try {
      resolved = { kind: "input", input: await this.#bytesOf(referenceIn(line), signal) };
    } catch (error) {
      if (signal.aborted) return;
      this.#log.warn("an input cannot be resolved", { job: job.id, error });
      resolved = { kind: "gone", message: error instanceof Error ? error.message : String(error) };
    }
    if (!signal.aborted) done(resolved);
  }

  async #bytesOf(reference: ReferenceLine, signal: AbortSignal): Promise<Uint8Array> {
    if ("stored" in reference)
      return withoutLineEnd(await this.#payload(reference.stored.hash, signal));
    const parts = await Promise.all(reference.refs.map((ref) => this.#results(ref, signal)));
    return spliced(reference.value, parts);
  }

  #payload(hash: string, signal: AbortSignal): Promise<Uint8Array> {
    if (!hashPattern.test(hash)) throw new GoneError(`${hash} is no hash`);
    return this.#cached({ path: `/v1/payloads/${hash}`, method: "GET" }, signal, async (body) => {
      const bytes = await bytesIn(body);
      const found = createHash("sha256").update(bytes).digest("hex");
      if (found !== hash) throw new Error(`payload ${hash} came with hash ${found}`);
      return bytes;
    });
  }

  /** A JSON array of all results of a job, or the one result of a task. */
  async #results({ job, task }: OutputRef, signal: AbortSignal): Promise<Uint8Array> {
    if (!jobIdPattern.test(job)) throw new GoneError(`${job} is no job`);
    const from = task === undefined ? "" : `?from=${task}`;
    const path = `/v1/jobs/${job}/results${from}`;
    const request = { path, method: "GET", leaderOnly: true } as const;
    if (task === undefined) {
      const lines = linesOf(await this.#cached(request, signal, bytesIn));
      return joined(await Promise.all(lines.map((line) => this.#line(line, signal))));
    }
    const line = await this.#cached(request, signal, firstLineIn);
    if (line.length === 0) throw new GoneError(`${job}/${task} has no result`);
    return this.#line(line, signal);
  }

  /** A result may itself be stored. */
  async #line(line: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    if (!isReferenceLine(line)) return line;
    const reference = referenceIn(line);
    if ("stored" in reference) return this.#bytesOf(reference, signal);
    throw new GoneError("a result refers to another job");
  }

  async #cached(request: MasterRequest, signal: AbortSignal, read: Read): Promise<Uint8Array> {
    signal.throwIfAborted();
    const { path } = request;
    const known = this.#cache.get(path) ?? this.#fetch(request, read);
    this.#cache.delete(path);
    this.#cache.set(path, known);
    known.waiting++;
    const leave = (): void => {
      if (--known.waiting > 0 || known.size > 0) return;
      this.#cache.delete(path);
      known.stop.abort(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await known.bytes;
    } finally {
      signal.removeEventListener("abort", leave);
      if (!signal.aborted) known.waiting--;
    }
  }

  #fetch(request: MasterRequest, read: Read): Cached {
    const { path } = request;
    const stop = new AbortController();
    const bytes = this.#http.request({ ...request, signal: stop.signal }, read).then((answer) => {
      if (answer.kind !== "ok") throw new GoneError(answer.message);
      return answer.value;
    });
    const cached: Cached = { bytes, size: 0, waiting: 0, stop };
    bytes.then(
      ({ length }) => {
        if (this.#cache.get(path) !== cached) return;
        cached.size = Math.max(1, length);
        this.#cacheBytes += cached.size;
        this.#evict();
      },
      () => {
        if (this.#cache.get(path) === cached) this.#cache.delete(path);
      },
    );
    return cached;
  }

  #evict(): void {
    for (const [path, cached] of this.#cache) {
      if (this.#cacheBytes <= cacheBytesMax) return;
      if (cached.size === 0) continue;
      this.#cache.delete(path);
      this.#cacheBytes -= cached.size;
    }
  }
}

function referenceIn(line: Uint8Array): ReferenceLine {
  try {
    return JSON.parse(new TextDecoder().decode(line.subarray(1))) as ReferenceLine;
  } catch (error) {
    throw new GoneError("a reference is not JSON", { cause: error });
  }
}

/** The value as JSON, with `parts[n]` wherever it holds {"$skein": n}. */
export function spliced(value: unknown, parts: readonly Uint8Array[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  let text = "";
  const part = (n: number): void => {
    const bytes = parts[n];
    if (!bytes) throw new GoneError(`the input names reference ${n} of ${parts.length}`);
    chunks.push(new TextEncoder().encode(text), bytes);
    text = "";
  };
  const write = (item: unknown): void => {
    if (typeof item !== "object" || item === null) {
      text += JSON.stringify(item) ?? "null";
    } else if (Array.isArray(item)) {
      text += "[";
      item.forEach((element, i) => {
        if (i > 0) text += ",";
        write(element);
      });
      text += "]";
    } else {
      const entries = Object.entries(item);
      const [only] = entries;
      if (entries.length === 1 && only?.[0] === "$skein" && typeof only[1] === "number") {
        return part(only[1]);
      }
      text += "{";
      entries.forEach(([name, element], i) => {
        text += `${i > 0 ? "," : ""}${JSON.stringify(name)}:`;
        write(element);
      });
      text += "}";
    }
  };
  write(value);
  chunks.push(new TextEncoder().encode(text));
  return Buffer.concat(chunks);
}

function joined(values: readonly Uint8Array[]): Uint8Array {
  const chunks: Uint8Array[] = [Buffer.from("[")];
  values.forEach((value, i) => {
    if (i > 0) chunks.push(Buffer.from(","));
    chunks.push(value);
  });
  chunks.push(Buffer.from("]"));
  return Buffer.concat(chunks);
}

async function bytesIn(body: Body): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > limits.payloadBytesMax)
      throw new GoneError("an input is larger than a payload may be");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Reads no further than the first line: there may be millions behind it. */
async function firstLineIn(body: Body): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    const end = chunk.indexOf(newline);
    chunks.push(end < 0 ? chunk : chunk.subarray(0, end));
    if (end >= 0) break;
  }
  return Buffer.concat(chunks);
}

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let from = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, from)) {
    lines.push(bytes.subarray(from, end));
    from = end + 1;
  }
  if (from < bytes.length) lines.push(bytes.subarray(from));
  return lines;
}

function withoutLineEnd(bytes: Uint8Array): Uint8Array {
  return bytes.at(-1) === newline ? bytes.subarray(0, -1) : bytes;
}

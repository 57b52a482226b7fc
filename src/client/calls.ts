// One call: which master, how often, how long. Streams open through it too.
//
//   C1. A call that may be repeated safely is: every request here either is idempotent by its method or
//       carries an idempotency key, which stays the same over all tries.
//   C2. `not_leading` that names the leader goes there; it, a failed connection and `stalled` else go to the
//       next master at once. After a round of all masters, and for every other retryable problem, it waits:
//       Retry-After, or jittered back-off.
//   C3. No new try begins after `retryMs`; the last problem is then thrown, and says how long was tried.
//   C4. An aborted signal is thrown as it is, at once.
//   C5. With several masters each read asks for at least what an answer before it rested on (`atLeast`): so a
//       master that is behind shows no past, and not even what this client did itself is missed there.
//   C6. With several masters one that falls silent is left as if its connections were cut (vigil.ts), also by calls
//       that may wait long and by streams.

import { MasterList } from "./master-list.ts";
import { addresses } from "./paths.ts";
import { errorKinds, fromProblem, SkeinError } from "../protocol/errors.ts";
import type { ErrorCode, Problem } from "../protocol/errors.ts";
import type { Transport, TransportResponse } from "./transport.ts";
import { Vigil } from "./vigil.ts";
import type { Watch } from "./vigil.ts";
import { backoffMs, pause, reasonOf } from "./wait.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** No new try after this many milliseconds; 30,000 unless set. */
  readonly retryMs?: number | undefined;
  /** Of a read: only by the leader, which first makes sure that it still leads. */
  readonly strong?: boolean | undefined;
}

export interface CallRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Idempotency-Key. */
  readonly key?: string | undefined;
  readonly silenceMs?: number;
  /** Its answer is a stream: whoever reads it goes on to wait for that master. */
  readonly streams?: boolean;
}

export interface CallerOptions {
  readonly masters: readonly string[];
  readonly token?: string | undefined;
  readonly transport: Transport;
  readonly retryMs?: number | undefined;
}

const silenceMsDefault = 15_000;
const retryMsDefault = 30_000;
/** An internal error seldom goes away by asking again: twice is enough. */
const internalTriesMax = 2;

/** Masters that name each other as leader are asked in turn so often before it waits. */
const hopsMax = 3;
/** What only a master of another cluster, or none at all, answers. */
const foreign: ReadonlySet<ErrorCode> = new Set(["unauthorized", "wrong_host"]);

export class Caller {
  readonly #masters: MasterList;
  readonly #transport: Transport;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #retryMs: number;
  readonly #vigil: Vigil | undefined;
  /** The highest index that an answer rested on. */
  #seen = 0;

  constructor({ masters, token, transport, retryMs }: CallerOptions) {
    this.#masters = new MasterList(masters);
    this.#transport = transport;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#retryMs = retryMs ?? retryMsDefault;
    const { aside } = transport;
    this.#vigil = aside && new Vigil((master, signal) => this.#askWhether(aside, master, signal));
  }

  /** Addresses of more masters, as one of them knows them. */
  learn(masters: readonly string[]): void {
    this.#masters.learn(masters);
  }

  /** Sends, tries again, and gives the answer to `read`, whose failure counts as a cut connection. */
  async call<T>(
    request: CallRequest,
    options: CallOptions,
    read: (response: TransportResponse) => Promise<T>,
  ): Promise<T> {
    const begin = performance.now();
    const retryMs = options.retryMs ?? this.#retryMs;
    let hops = 0;
    for (let tries = 0; ; tries++) {
      if (options.signal?.aborted) throw reasonOf(options.signal);
      const tried = await this.#try(request, options, read);
      if (tried.ok) return tried.value;
      if (!worthAnotherTry(tried.error.code, tries)) throw tried.error;
      hops = tried.followed ? hops + 1 : 0;
      const atOnce = hops > 0 && hops % hopsMax !== 0;
      const waitMs = atOnce ? 0 : this.#waitMs(tried.error, tries);
      const spentMs = performance.now() - begin;
      if (spentMs + waitMs > retryMs) throw gaveUp(tried.error, tries + 1, spentMs);
      if (waitMs > 0) await pause(waitMs, options.signal);
    }
  }

  async #try<T>(
    request: CallRequest,
    options: CallOptions,
    read: (response: TransportResponse) => Promise<T>,
  ): Promise<Tried<T>> {
    const { signal } = options;
    const master = this.#masters.current;
    const guard = this.#guard(master, signal);
    const { method, body } = request;
    let headers = request.headers ? { ...this.#headers, ...request.headers } : this.#headers;
    if (request.key !== undefined) headers = { ...headers, "idempotency-key": request.key };
    try {
      const response = await this.#transport({
        method,
        url: master + this.#pathOf(request, options),
        headers,
        body,
        signal: guard.signal,
        silenceMs: request.silenceMs ?? silenceMsDefault,
      });
      guard.watch?.heard();
      this.#seen = Math.max(this.#seen, Number(response.header("skein-index")) || 0);
      if (response.status < 300) {
        const body = request.streams ? this.#guarded(master, response.body, guard.lost) : undefined;
        return { ok: true, value: await read(body ? { ...response, body } : response) };
      }
      return this.#refused(master, await readProblem(response, this.#masters.size > 1));
    } catch (error) {
      if (signal?.aborted) throw reasonOf(signal);
      if (error instanceof SkeinError) throw error;
      this.#masters.leave(master);
      const why = error instanceof Error ? messageOf(error) : String(error);
      const message = `${master} does not answer: ${why}`;
      return { ok: false, error: new SkeinError("unreachable", message, { cause: error }) };
    } finally {
      guard.watch?.end();
    }
  }

  async #askWhether(aside: Transport, master: string, signal: AbortSignal): Promise<void> {
    const url = master + addresses.version[1];
    const request = { method: "GET", url, headers: this.#headers, body: undefined };
    const response = await aside({ ...request, signal, silenceMs: silenceMsDefault });
    await response.text();
  }

  /** C6. */
  #guard(master: string, signal: AbortSignal | undefined): Guard {
    const vigil = this.#vigil;
    if (!vigil || this.#masters.size === 1) return { signal, watch: undefined, lost: undefined };
    const silent = new AbortController();
    const lost = () => {
      this.#masters.leave(master);
      silent.abort(new Error("it has fallen silent"));
    };
    return {
      signal: signal ? AbortSignal.any([signal, silent.signal]) : silent.signal,
      watch: vigil.watch(master, lost),
      lost,
    };
  }

  async *#guarded(
    master: string,
    body: AsyncIterable<Uint8Array>,
    lost: (() => void) | undefined,
  ): AsyncGenerator<Uint8Array> {
    const watch = lost && this.#vigil?.watch(master, lost);
    try {
      for await (const chunk of body) {
        watch?.heard();
        yield chunk;
      }
    } finally {
      watch?.end();
    }
  }

  /** C5. */
  #pathOf({ method, path }: CallRequest, { strong }: CallOptions): string {
    if (method !== "GET") return path;
    const wanted = strong ? ["strong=true"] : [];
    if (this.#seen > 0 && this.#masters.size > 1) wanted.push(`atLeast=${this.#seen}`);
    if (wanted.length === 0) return path;
    return `${path}${path.includes("?") ? "&" : "?"}${wanted.join("&")}`;
  }

  #refused(master: string, error: SkeinError): Tried<never> {
    if (foreign.has(error.code) && this.#masters.isWrong(master)) {
      const message = `${master} is no master of this cluster: ${error.message}`;
      return { ok: false, error: new SkeinError("unreachable", message) };
    }
    const { leader } = error.details;
    if (leader !== undefined && this.#masters.follow(master, leader)) {
      return { ok: false, error, followed: true };
    }
    if (elsewhere.has(error.code)) this.#masters.leave(master);
    return { ok: false, error };
  }

  #waitMs(error: SkeinError, tries: number): number {
    const { size } = this.#masters;
    if (elsewhere.has(error.code) && (tries + 1) % size !== 0) return 0;
    const { retryAfter } = error.details;
    const rounds = Math.floor(tries / size);
    // Who does not lead cannot say when somebody will.
    if (retryAfter === undefined || error.code === "not_leading") return backoffMs(rounds);
    return Math.max(retryAfter * 1_000, backoffMs(tries));
  }
}

interface Guard {
  readonly signal: AbortSignal | undefined;
  /** None where there is no other master to go to. */
  readonly watch: Watch | undefined;
  readonly lost: (() => void) | undefined;
}

/** Another master may do better. */
const elsewhere: ReadonlySet<ErrorCode> = new Set(["not_leading", "unreachable", "stalled"]);

type Tried<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly error: SkeinError;
      /** The leader was named, and is asked next. */
      readonly followed?: boolean;
    };

function worthAnotherTry(code: ErrorCode, tries: number): boolean {
  if (code === "internal") return tries + 1 < internalTriesMax;
  return errorKinds[code].retryable && code !== "wait_expired";
}

function gaveUp(error: SkeinError, tries: number, spentMs: number): SkeinError {
  const seconds = (spentMs / 1_000).toFixed(1);
  const message = tries === 1 ? error.message : `${error.message} (${tries} tries, ${seconds} s)`;
  return new SkeinError(error.code, message, { hint: error.hint, ...error.details });
}

async function readProblem(response: TransportResponse, several: boolean): Promise<SkeinError> {
  const text = await response.text();
  const seconds = Number(response.header("retry-after"));
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
  const problem = parseProblem(text);
  if (problem?.code !== undefined) return fromProblem(problem, retryAfter);
  // Not from a master: a proxy, or another program on that port; others may still be masters.
  const detail = `status ${response.status}${text === "" ? "" : `: ${text.slice(0, 200)}`}`;
  return fromProblem(
    { code: several ? "unreachable" : codeOfStatus(response.status), detail },
    retryAfter,
  );
}

function parseProblem(text: string): Partial<Problem> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // The fields are checked where they are used: an unknown code becomes "internal".
    return typeof value === "object" && value !== null ? (value as Partial<Problem>) : undefined;
  } catch {
    return undefined;
  }
}

function codeOfStatus(status: number): ErrorCode {
  const codes: Record<number, ErrorCode> = {
    401: "unauthorized",
    404: "not_found",
    413: "too_large",
    421: "wrong_host",
    429: "overloaded",
    502: "unreachable",
    503: "unreachable",
    504: "unreachable",
  };
  return codes[status] ?? (status < 500 ? "bad_request" : "internal");
}

/** undici and fetch hide what happened in `cause`. */
function messageOf(error: Error): string {
  const inner = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return (error.message || error.name) + inner;
}

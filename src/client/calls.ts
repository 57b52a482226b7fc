// One call: which master, how often, how long. Streams open through it too.
//
//   C1. A call that may be repeated safely is: every request here either is idempotent by its method or
//       carries an idempotency key, which stays the same over all tries.
//   C2. A failed connection and `not_leading` go to the next master at once; after a round of all masters,
//       and for every other retryable problem, it waits: Retry-After, or jittered back-off.
//   C3. No new try begins after `retryMs`; the last problem is then thrown, and says how long was tried.
//   C4. An aborted signal is thrown as it is, at once.

import { errorKinds, fromProblem, SkeinError } from "../protocol/errors.ts";
import type { ErrorCode, Problem } from "../protocol/errors.ts";
import type { Transport, TransportResponse } from "./transport.ts";
import { backoffMs, pause, reasonOf } from "./wait.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** No new try after this many milliseconds; 30,000 unless set. */
  readonly retryMs?: number | undefined;
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
}

export interface CallerOptions {
  readonly masters: readonly string[];
  readonly token: string;
  readonly transport: Transport;
  readonly retryMs?: number | undefined;
}

const silenceMsDefault = 15_000;
const retryMsDefault = 30_000;
/** An internal error seldom goes away by asking again: twice is enough. */
const internalTriesMax = 2;

export class Caller {
  readonly #masters: readonly string[];
  readonly #transport: Transport;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #retryMs: number;
  #current = 0;

  constructor({ masters, token, transport, retryMs }: CallerOptions) {
    if (masters.length === 0) throw new SkeinError("usage", "A client needs one master at least.");
    this.#masters = masters.map(checkOrigin);
    this.#transport = transport;
    this.#headers = { authorization: `Bearer ${token}` };
    this.#retryMs = retryMs ?? retryMsDefault;
  }

  /** Sends, tries again, and gives the answer to `read`, whose failure counts as a cut connection. */
  async call<T>(
    request: CallRequest,
    options: CallOptions,
    read: (response: TransportResponse) => Promise<T>,
  ): Promise<T> {
    const begin = performance.now();
    const retryMs = options.retryMs ?? this.#retryMs;
    for (let tries = 0; ; tries++) {
      if (options.signal?.aborted) throw reasonOf(options.signal);
      const tried = await this.#try(request, options.signal, read);
      if (tried.ok) return tried.value;
      if (!worthAnotherTry(tried.error.code, tries)) throw tried.error;
      const waitMs = this.#waitMs(tried.error, tries);
      const spentMs = performance.now() - begin;
      if (spentMs + waitMs > retryMs) throw gaveUp(tried.error, tries + 1, spentMs);
      if (waitMs > 0) await pause(waitMs, options.signal);
    }
  }

  async #try<T>(
    request: CallRequest,
    signal: AbortSignal | undefined,
    read: (response: TransportResponse) => Promise<T>,
  ): Promise<Tried<T>> {
    const master = this.#masters[this.#current] ?? "";
    const { method, path, body } = request;
    let headers = request.headers ? { ...this.#headers, ...request.headers } : this.#headers;
    if (request.key !== undefined) headers = { ...headers, "idempotency-key": request.key };
    try {
      const response = await this.#transport({
        method,
        url: master + path,
        headers,
        body,
        signal,
        silenceMs: request.silenceMs ?? silenceMsDefault,
      });
      if (response.status < 300) return { ok: true, value: await read(response) };
      const error = await readProblem(response);
      if (error.code === "not_leading" || error.code === "unreachable") this.#turn();
      return { ok: false, error };
    } catch (error) {
      if (signal?.aborted) throw reasonOf(signal);
      if (error instanceof SkeinError) throw error;
      this.#turn();
      const why = error instanceof Error ? messageOf(error) : String(error);
      return {
        ok: false,
        error: new SkeinError("unreachable", `${master} does not answer: ${why}`, { cause: error }),
      };
    }
  }

  #turn(): void {
    this.#current = (this.#current + 1) % this.#masters.length;
  }

  #waitMs(error: SkeinError, tries: number): number {
    const { retryAfter } = error.details;
    if (retryAfter !== undefined) return Math.max(retryAfter * 1_000, backoffMs(tries));
    const elsewhere = error.code === "not_leading" || error.code === "unreachable";
    if (elsewhere && (tries + 1) % this.#masters.length !== 0) return 0;
    return backoffMs(Math.floor(tries / this.#masters.length));
  }
}

type Tried<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: SkeinError };

function worthAnotherTry(code: ErrorCode, tries: number): boolean {
  if (code === "internal") return tries + 1 < internalTriesMax;
  return errorKinds[code].retryable && code !== "wait_expired";
}

function gaveUp(error: SkeinError, tries: number, spentMs: number): SkeinError {
  const seconds = (spentMs / 1_000).toFixed(1);
  const message = tries === 1 ? error.message : `${error.message} (${tries} tries, ${seconds} s)`;
  return new SkeinError(error.code, message, { hint: error.hint, ...error.details });
}

async function readProblem(response: TransportResponse): Promise<SkeinError> {
  const text = await response.text();
  const seconds = Number(response.header("retry-after"));
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
  const problem = parseProblem(text);
  if (problem?.code !== undefined) return fromProblem(problem, retryAfter);
  // Not from a master: a proxy, or another program on that port.
  const detail = `status ${response.status}${text === "" ? "" : `: ${text.slice(0, 200)}`}`;
  return fromProblem({ code: codeOfStatus(response.status), detail }, retryAfter);
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

function checkOrigin(master: string): string {
  const url = URL.canParse(master) ? new URL(master) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new SkeinError("usage", `"${master}" is no address of a master.`, {
      hint: "Write it as http://host:port.",
    });
  }
  return url.origin;
}

// Requests of a worker to masters over the HTTP API, with patience: masters may be away for hours,
// and the work that waits for an answer waits with them (W6).
//
// The leader is asked first. Only its word that something does not exist counts: a standby may not
// have it yet. Everything that may pass (no connection, 5xx, 429, 401 while tokens change) is tried
// again.

import { Agent as HttpAgent, type Dispatcher } from "undici";
import { delay } from "../lib/abort.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Log } from "../lib/log.ts";

export interface MasterUrls {
  /** Where the leader is reached, if one is known. */
  leader(): string | undefined;
  /** All masters worth asking, the leader first. */
  all(): readonly string[];
}

export interface MasterHttpOptions {
  readonly urls: MasterUrls;
  readonly token: string | undefined;
  readonly log: Log;
}

export interface MasterRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST";
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
  readonly contentType?: string;
  readonly bytes?: number;
  /** Made anew for each try. */
  readonly body?: () => Dispatcher.DispatchOptions["body"];
  /**
   * Only the leader may answer: it changes the state, or a standby's answer may be short of the
   * newest.
   */
  readonly leaderOnly?: boolean;
}

export type Answer<T> =
  | { readonly kind: "ok"; readonly value: T }
  /** 404 or 410 by the leader. */
  | { readonly kind: "gone"; readonly message: string }
  /** Any other 4xx that stays what it is. */
  | { readonly kind: "refused"; readonly status: number; readonly message: string };

/** What was asked for can never be had: thrown by a reader to end all trying. */
export class GoneError extends Error {
  override readonly name = "GoneError";
}

const retry = { firstMs: 200, maxMs: 5_000 };
/** A GET or PUT that moves no byte for so long is given up and tried again. */
const silenceMs = 30_000;
const passing = new Set([401, 403, 408, 421, 425, 429]);

export class MasterHttp implements AsyncDisposable {
  readonly #o: MasterHttpOptions;
  readonly #http = new HttpAgent({
    connections: 8,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    connect: { timeout: 5_000 },
  });

  constructor(options: MasterHttpOptions) {
    this.#o = options;
  }

  /** Asks until there is an answer; rejects only when the signal is aborted. */
  async request<T>(
    request: MasterRequest,
    read: (body: Dispatcher.ResponseData["body"]) => Promise<T>,
  ): Promise<Answer<T>> {
    for (let tries = 0; ; tries++) {
      request.signal?.throwIfAborted();
      const leader = this.#o.urls.leader();
      const urls = request.leaderOnly === true ? [leader] : this.#o.urls.all();
      for (const url of urls) {
        if (url === undefined) continue;
        const answer = await this.#ask(url, request, read, url === leader);
        if (answer) return answer;
      }
      await delay(backoffMs(tries, retry), request.signal);
    }
  }

  /** One try at one master; undefined when another try may fare better. */
  async #ask<T>(
    url: string,
    { method, path, signal, contentType, bytes, body }: MasterRequest,
    read: (body: Dispatcher.ResponseData["body"]) => Promise<T>,
    leads: boolean,
  ): Promise<Answer<T> | undefined> {
    const { token, log } = this.#o;
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(contentType === undefined ? {} : { "content-type": contentType }),
      ...(bytes === undefined ? {} : { "content-length": String(bytes) }),
    };
    try {
      const response = await this.#http.request({
        origin: url,
        path,
        method,
        headers,
        ...(signal === undefined ? {} : { signal }),
        ...(body === undefined ? {} : { body: body() ?? null }),
      });
      const status = response.statusCode;
      if (status < 300) return { kind: "ok", value: await read(response.body) };
      const message = `${url} answered ${status}: ${await briefly(response.body)}`;
      if (status >= 500 || passing.has(status) || status < 400) {
        log.warn("a master did not answer a request", { path, status, message });
        return undefined;
      }
      if (status !== 404 && status !== 410) return { kind: "refused", status, message };
      return leads ? { kind: "gone", message } : undefined;
    } catch (error) {
      if (signal?.aborted || error instanceof GoneError) throw error;
      log.debug("a request to a master failed", { url, path, error });
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http.destroy();
  }
}

async function briefly(body: Dispatcher.ResponseData["body"]): Promise<string> {
  let text = "";
  for await (const chunk of body) {
    text += String(chunk);
    if (text.length > 2_000) break;
  }
  return text.slice(0, 2_000).trim();
}

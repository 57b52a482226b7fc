// One body of log pieces to one master: one try, with an answer that says what to do next.
//
// Connections of its own: what is printed never waits in front of a result.

import { Agent as HttpAgent } from "undici";

export type Pushed =
  | { readonly kind: "stored"; readonly afterMs: number }
  /** No room, or not reached: the same body later. */
  | { readonly kind: "later"; readonly afterMs: number }
  /** It will never be taken. */
  | { readonly kind: "refused"; readonly message: string };

const answerMs = 5_000;
/** A master of an older version has no such route: it is asked seldom. */
const unknownMs = 60_000;

export class LogPush implements AsyncDisposable {
  readonly #token: string | undefined;
  readonly #http = new HttpAgent({
    connections: 1,
    pipelining: 1,
    headersTimeout: answerMs,
    bodyTimeout: answerMs,
    connect: { timeout: 1_000 },
  });

  constructor(token: string | undefined) {
    this.#token = token;
  }

  async push(url: string, body: Uint8Array): Promise<Pushed> {
    try {
      const {
        statusCode,
        headers,
        body: answer,
      } = await this.#http.request({
        origin: url,
        path: "/v1/worker-logs",
        method: "POST",
        headers: {
          "content-type": "application/octet-stream",
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        },
        body,
        signal: AbortSignal.timeout(answerMs),
      });
      const text = (await answer.text()).slice(0, 500);
      if (statusCode < 300) return { kind: "stored", afterMs: afterMsOf(text) };
      const seconds = Number(headers["retry-after"] ?? 0);
      if (statusCode === 404) return { kind: "later", afterMs: unknownMs };
      if (statusCode === 413 || statusCode === 422 || statusCode === 400) {
        return { kind: "refused", message: text };
      }
      return { kind: "later", afterMs: seconds * 1_000 };
    } catch {
      // Not there, or too slow: another master is tried, or this one again.
      return { kind: "later", afterMs: 0 };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http.destroy();
  }
}

function afterMsOf(text: string): number {
  try {
    const answer: unknown = JSON.parse(text);
    const isObject = typeof answer === "object" && answer !== null;
    return isObject && "afterMs" in answer ? Number(answer.afterMs) || 0 : 0;
  } catch {
    return 0;
  }
}

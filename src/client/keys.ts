// Idempotency keys of a client: "skein:<client id>:<n>" (K8). A master remembers the last 1,024 numbers of a
// client id, so that a request may be sent again as long as its number is not further behind than that.
//
//   N1. Of one id no number is handed out that is 1,024 or more above the oldest one in flight.
//   N2. A request that waits long (a submit that waits for its result) must not hold up the others: they go
//       on under another id of this client, "<client id>.1", ".2" …, and come back when the first is free.

import { SkeinError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { clientIdPattern, clientKeyText } from "../protocol/request-key.ts";
import { reasonOf } from "./wait.ts";

const lanesMax = 64;

interface Lane {
  readonly id: string;
  next: number;
  /** Numbers in flight, lowest first. */
  readonly pending: Set<number>;
}

export class IdempotencyKeys {
  readonly #clientId: string;
  readonly #lanes: Lane[] = [];
  readonly #waiting = new Set<() => void>();
  #inFlight = 0;

  constructor(clientId: string) {
    if (!clientIdPattern.test(clientId)) {
      const fits = "up to 64 letters, digits, _ and -";
      throw new SkeinError("usage", `"${clientId}" is no client id: it has ${fits}.`);
    }
    this.#clientId = clientId;
  }

  /** Runs `send` with a key of its own, waiting while too many are in flight. */
  async use<T>(signal: AbortSignal | undefined, send: (key: string) => Promise<T>): Promise<T> {
    let lane = this.#room();
    while (!lane) {
      await this.#left(signal);
      lane = this.#room();
    }
    const n = lane.next++;
    lane.pending.add(n);
    this.#inFlight++;
    try {
      return await send(clientKeyText({ client: lane.id, n }));
    } finally {
      lane.pending.delete(n);
      this.#inFlight--;
      for (const wake of this.#waiting) wake();
    }
  }

  #room(): Lane | undefined {
    if (this.#inFlight >= limits.clientWindow) return undefined;
    const open = this.#lanes.find((lane) => {
      const [lowest] = lane.pending;
      return lowest === undefined || lane.next - lowest < limits.clientWindow;
    });
    if (open || this.#lanes.length >= lanesMax) return open;
    const count = this.#lanes.length;
    const id = count === 0 ? this.#clientId : `${this.#clientId}.${count}`;
    const lane = { id, next: 1, pending: new Set<number>() };
    this.#lanes.push(lane);
    return lane;
  }

  /** Resolves when a request has left. */
  #left(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(reasonOf(signal));
      const stop = () => {
        this.#waiting.delete(wake);
        if (signal) reject(reasonOf(signal));
      };
      const wake = () => {
        this.#waiting.delete(wake);
        signal?.removeEventListener("abort", stop);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener("abort", stop, { once: true });
    });
  }
}

/** A fresh client id: 16 hex digits. */
export function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

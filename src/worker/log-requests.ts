// Captured output that a master asks for, read from this worker's disk and sent in small pieces.
//
// A reader that is slower than the disk must not fill this process: while much waits in the socket,
// the next part is not read.

import { delay } from "../lib/abort.ts";
import type { LogChunk, LogRequest, LogStop } from "../protocol/messages.ts";
import type { SessionNumber } from "./session.ts";
import type { SlotExecutor } from "./slots/executor.ts";
import type { LogPart } from "./slots/log-reader.ts";

export interface LogRequestsOptions {
  readonly readLog: SlotExecutor["readLog"];
  readonly send: (session: SessionNumber, chunks: readonly LogChunk[]) => void;
  /** Bytes that wait in the session's socket. */
  readonly bufferedBytes: (session: SessionNumber) => number;
}

const pieceBytesMax = 64 * 1024;
const bufferedBytesMax = 512 * 1024;
const lookMs = 20;
const readingsMax = 64;

export class LogRequests {
  readonly #o: LogRequestsOptions;
  /** What stops each reading. */
  readonly #sessions = new Map<SessionNumber, Map<number, AbortController>>();

  constructor(options: LogRequestsOptions) {
    this.#o = options;
  }

  receive(session: SessionNumber, message: LogRequest | LogStop): void {
    this.#stop(session, message.request);
    if (message.kind === "logStop") return;
    const readings = this.#sessions.get(session) ?? new Map<number, AbortController>();
    this.#sessions.set(session, readings);
    const { request, from, kind: _, ...query } = message;
    if (readings.size >= readingsMax) {
      const problem = "too many logs are being read on this worker";
      const part = { offset: from, next: from, bytes: new Uint8Array(), end: true, problem };
      return this.#send(session, request, part);
    }
    const reading = new AbortController();
    readings.set(request, reading);
    const stop = this.#o.readLog({ ...query, from }, async (part) => {
      if (reading.signal.aborted) return;
      this.#send(session, request, part);
      if (part.end) this.#stop(session, request);
      else await this.#drained(session, reading.signal);
    });
    if (reading.signal.aborted) stop();
    else reading.signal.addEventListener("abort", stop, { once: true });
  }

  closed(session: SessionNumber): void {
    for (const reading of this.#sessions.get(session)?.values() ?? []) reading.abort();
    this.#sessions.delete(session);
  }

  #stop(session: SessionNumber, request: number): void {
    const readings = this.#sessions.get(session);
    readings?.get(request)?.abort();
    readings?.delete(request);
  }

  async #drained(session: SessionNumber, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#o.bufferedBytes(session) > bufferedBytesMax)
      await delay(lookMs);
  }

  #send(session: SessionNumber, request: number, { offset, bytes, end, problem }: LogPart): void {
    const chunks: LogChunk[] = [];
    for (let from = 0; from === 0 || from < bytes.length; from += pieceBytesMax) {
      const to = Math.min(bytes.length, from + pieceBytesMax);
      const last = to === bytes.length;
      chunks.push({
        kind: "logChunk",
        request,
        offset: offset + from,
        bytes: bytes.subarray(from, to),
        end: end && last,
        ...(last && problem !== undefined ? { problem } : {}),
      });
    }
    this.#o.send(session, chunks);
  }
}

// Logs of a master as they are, without a thread.

import { systemClock } from "../../lib/clock.ts";
import { jobLines } from "./job-lines.ts";
import type { LogStore } from "./log-store.ts";
import { LogSegments } from "./log-segments.ts";

export class InlineLogs implements LogStore {
  readonly #dir: string;
  #opened: LogSegments | undefined;
  waitingBytes = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  get #segments(): LogSegments {
    return (this.#opened ??= new LogSegments(this.#dir, 1 << 20));
  }

  add: LogStore["add"] = async (body) => ({
    pieces: this.#segments.add(body, systemClock.wall()),
  });
  read: LogStore["read"] = async (ask) => this.#segments.read(ask);
  extent: LogStore["extent"] = async (ask) => this.#segments.extent(ask);
  lines: LogStore["lines"] = async (ask) => jobLines(this.#segments, ask);
  prune: LogStore["prune"] = async () => this.#segments.prune({ before: 0, bytesMax: Infinity });
  usage: LogStore["usage"] = async () => ({ segments: 1, bytes: this.#segments.bytes });

  async [Symbol.asyncDispose](): Promise<void> {
    this.#opened?.close();
  }
}

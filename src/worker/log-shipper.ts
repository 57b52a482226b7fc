// Pushes what attempts print to two masters, in the background (docs/logs.md).
//
//   LS1  One body at a time, made when the one before is done, at most `logPushSecondBytes` a second: sessions and
//        results have the network and this process to themselves but for that.
//   LS2  A body is sent, the same, until a master has it. Two are to have it: the leader and a standby, or whoever else
//        answers. With one master it has it alone.
//   LS3  What is pushed is remembered roughly, on the disk: who starts again here pushes what was not.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { backoffMs } from "../lib/backoff.ts";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import { type Body, LogBacklog } from "./log-backlog.ts";
import type { LogPush, Pushed } from "./log-push.ts";
import type { AttemptLogs } from "./slots/attempt-logs.ts";

export interface LogShipperOptions {
  readonly dataDir: string;
  readonly workerId: string;
  readonly logs: AttemptLogs;
  readonly clock: Clock;
  readonly log: Log;
  /** Addresses of masters with an open session, the leader first. */
  readonly masters: () => readonly string[];
  readonly push: Pick<LogPush, "push">;
}

const copies = 2;
const retry = { firstMs: 200, maxMs: 5_000 };
const noteMs = 5_000;
/** The clock of the disk and that of this process need not agree to the millisecond. */
const slackMs = 2_000;

export class LogShipper {
  readonly #o: LogShipperOptions;
  readonly #backlog: LogBacklog;
  readonly #file: string;
  readonly #standby: number;
  #timer: CancelTimer | undefined;
  #shipping = false;
  /** Made, and not yet with any master. */
  #body: Body | undefined;
  #tries = 0;
  #waitMs: number = limits.logPushMs;
  #notedAt = Number.NEGATIVE_INFINITY;
  #dry: (() => void)[] = [];
  #closed = false;

  constructor(options: LogShipperOptions) {
    this.#o = options;
    const { logs, clock, dataDir, workerId } = options;
    this.#file = join(dataDir, "logs-pushed");
    this.#standby = spread(workerId);
    this.#backlog = new LogBacklog({
      folder: logs.folder,
      wall: () => clock.wall(),
      onWaiting: () => this.#wake(this.#waitMs),
      isOpen: ({ job, task, attempt }) => logs.isOpen(job, task, attempt),
    });
    logs.tell(this.#backlog);
  }

  /** What a predecessor in this data directory has not pushed is pushed too. */
  async start(): Promise<void> {
    const text = await readFile(this.#file, "utf8").catch(() => "");
    await this.#backlog.lookThrough(Number(text) || 0);
  }

  /** Pushes what it can in that time, and ends. */
  async close(ms: number): Promise<void> {
    if (!this.#backlog.empty && this.#o.masters().length > 0) {
      this.#timer?.();
      this.#timer = undefined;
      await new Promise<void>((resolve) => {
        this.#dry.push(resolve);
        this.#o.clock.after(ms, resolve);
        this.#wake(0);
      });
    }
    this.#closed = true;
    this.#timer?.();
    await this.#note();
  }

  #wake(ms: number): void {
    if (this.#closed || this.#shipping || this.#timer) return;
    this.#timer = this.#o.clock.after(ms, () => {
      this.#timer = undefined;
      void this.#ship();
    });
  }

  /** Never rejects: no log is worth a worker. */
  async #ship(): Promise<void> {
    this.#shipping = true;
    let waitMs: number = retry.maxMs;
    try {
      waitMs = await this.#shipOne();
    } catch (error) {
      this.#o.log.warn("output could not be pushed to the masters; trying again", { error });
    }
    this.#shipping = false;
    if (this.#backlog.empty && !this.#body) for (const dry of this.#dry.splice(0)) dry();
    else this.#wake(this.#dry.length > 0 ? Math.min(waitMs, retry.firstMs) : waitMs);
  }

  /** Returns after how long to go on. */
  async #shipOne(): Promise<number> {
    this.#body ??= await this.#backlog.next();
    const body = this.#body;
    if (!body) return this.#waitMs;
    const { stored, afterMs, refused } = await this.#send(body.bytes);
    if (stored === 0 && refused === undefined) {
      return Math.max(afterMs, backoffMs(this.#tries++, retry));
    }
    this.#tries = 0;
    if (stored === 0) this.#o.log.warn("masters refuse what tasks printed", { why: refused });
    this.#body = undefined;
    body.done();
    if (this.#o.clock.now() - this.#notedAt > noteMs) await this.#note();
    const { length } = body.bytes;
    const rateMs = (length * 1_000) / limits.logPushSecondBytes;
    // A full one is followed by the next; from little ones a larger one is made.
    const isFull = length > limits.logPushBytesMax / 2;
    this.#waitMs = Math.max(limits.logPushMs, afterMs);
    return isFull ? Math.max(rateMs, afterMs) : this.#waitMs;
  }

  async #send(bytes: Uint8Array) {
    const [leader, ...standbys] = this.#o.masters();
    const first = standbys.length === 0 ? 0 : this.#standby % standbys.length;
    const others = [...standbys.slice(first), ...standbys.slice(0, first)];
    const masters = leader === undefined ? others : [leader, ...others];
    let stored = 0;
    let afterMs = 0;
    let refused: string | undefined;
    const take = (pushed: Pushed) => {
      if (pushed.kind === "refused") refused = pushed.message;
      else afterMs = Math.max(afterMs, pushed.afterMs);
      if (pushed.kind === "stored") stored++;
    };
    for (let from = 0; stored < copies && from < masters.length;) {
      const some = masters.slice(from, from + copies - stored);
      from += some.length;
      for (const pushed of await Promise.all(some.map((url) => this.#o.push.push(url, bytes))))
        take(pushed);
    }
    return { stored, afterMs, refused };
  }

  async #note(): Promise<void> {
    this.#notedAt = this.#o.clock.now();
    const before = this.#body ? 0 : this.#backlog.pushedBefore - slackMs;
    if (before <= 0) return;
    await writeFile(this.#file, `${before}\n`).catch((error: unknown) => {
      this.#o.log.debug("what was pushed could not be noted", { error });
    });
  }
}

/** A number that differs between workers, so that they do not all choose the same standby. */
function spread(id: string): number {
  let sum = 7;
  for (let i = 0; i < id.length; i++) sum = (sum * 31 + id.charCodeAt(i)) % 9_973;
  return sum;
}

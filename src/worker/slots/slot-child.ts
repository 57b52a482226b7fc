// The process of a slot, seen from the worker: started in a group of its own, with pipes for messages (fd 3),
// for its watchdog (fd 4) and for what it prints past the capture (fd 1 and 2).

import { spawn, type ChildProcess } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import { runnableFile } from "../../lib/thread.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import { cookieName, killGroup, tryKill } from "./process-tree.ts";
import type { FromSlot, ToSlot } from "./wire.ts";

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Set when it could not be started. */
  readonly problem?: string;
}

export interface ChildHandlers {
  readonly onMessages: (messages: readonly FromSlot[]) => void;
  readonly onRaw: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  /** Once; everything it said has been handed over before. */
  readonly onExit: (exit: ChildExit) => void;
}

export interface ChildOptions {
  readonly folder: string;
  readonly cookie: string;
  /** MiB of heap; undefined means Node's own limit. */
  readonly heapMiB: number | undefined;
}

/** What a dead process said is in the pipe; a grandchild may keep other pipes open, so there is a limit. */
const drainMs = 500;

export class SlotChild {
  readonly pid: number | undefined;
  readonly #child: ChildProcess;
  readonly #handlers: ChildHandlers;
  readonly #pipe: Duplex | undefined;
  #outgoing: ToSlot[] = [];
  #incoming: FromSlot[] = [];
  /** From the other thread; handled after what the main thread said before. */
  #aside: FromSlot[] = [];
  #deliverComes = false;
  #exit: ChildExit | undefined;
  #finished = false;

  constructor(options: ChildOptions, handlers: ChildHandlers) {
    this.#handlers = handlers;
    this.#child = startProcess(options);
    this.pid = this.#child.pid;
    this.#child.on("error", (error) => {
      if (this.pid !== undefined) return;
      this.#ended({ code: null, signal: null, problem: error.message });
      this.#finish();
    });
    this.#child.on("exit", (code, signal) => {
      // Nobody it started in its group outlives it (X3).
      this.kill();
      this.#ended({ code, signal });
    });
    if (this.pid === undefined) return;
    const [, stdout, stderr, pipe, aside] = this.#child.stdio as unknown as [
      null,
      Readable,
      Readable,
      Duplex,
      Duplex,
    ];
    this.#pipe = pipe;
    stdout.on("data", (bytes: Buffer) => handlers.onRaw("stdout", bytes));
    stderr.on("data", (bytes: Buffer) => handlers.onRaw("stderr", bytes));
    this.#read(pipe, (message) => this.#incoming.push(message));
    this.#read(aside, (message) => this.#aside.push(message));
    pipe.on("close", () => {
      if (this.#exit) this.#finish();
    });
  }

  /** Messages of one turn go in one frame. */
  send(message: ToSlot): void {
    if (this.#outgoing.push(message) > 1) return;
    queueMicrotask(() => {
      const messages = this.#outgoing;
      this.#outgoing = [];
      if (this.#pipe?.writable) this.#pipe.write(encodeFrame(messages));
    });
  }

  /** Stops reading for a while: the slot then waits with what it prints. */
  pause(): void {
    this.#pipe?.pause();
  }

  resume(): void {
    this.#pipe?.resume();
  }

  kill(): void {
    if (this.pid === undefined) return;
    killGroup(this.pid);
    if (!this.#exit) tryKill(this.pid, "SIGKILL");
  }

  #read(pipe: Duplex, push: (message: FromSlot) => void): void {
    const reader = new FrameReader();
    pipe.on("data", (chunk: Buffer) => {
      for (const message of reader.push(chunk)) push(message as FromSlot);
      this.#deliverSoon();
    });
    // The process is dying; its exit says what has to be said.
    pipe.on("error", () => {});
  }

  /**
   * After all pipes that have something were read: what an attempt wrote to fd 1 by itself is then
   * handed over before its end is.
   */
  #deliverSoon(): void {
    if (this.#deliverComes) return;
    this.#deliverComes = true;
    setImmediate(() => {
      this.#deliverComes = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const messages = this.#aside.length > 0 ? this.#incoming.concat(this.#aside) : this.#incoming;
    this.#incoming = [];
    this.#aside = [];
    if (messages.length > 0 && !this.#finished) this.#handlers.onMessages(messages);
  }

  #ended(exit: ChildExit): void {
    this.#exit ??= exit;
    if (this.#pipe?.closed) this.#finish();
    else {
      this.#pipe?.resume();
      setTimeout(() => this.#finish(), drainMs).unref();
    }
  }

  #finish(): void {
    if (this.#finished || !this.#exit) return;
    // Raw output that is in the pipes by now is read before the end is told.
    setImmediate(() => {
      if (this.#finished || !this.#exit) return;
      this.#deliver();
      this.#finished = true;
      // There are none if it never started.
      for (const stream of this.#child.stdio ?? []) stream?.destroy();
      this.#handlers.onExit(this.#exit);
    });
  }
}

function startProcess({ folder, cookie, heapMiB }: ChildOptions): ChildProcess {
  const main = runnableFile(new URL("./slot-main.ts", import.meta.url));
  const thread = runnableFile(new URL("./slot-thread.ts", import.meta.url));
  const heap = heapMiB === undefined ? [] : [`--max-old-space-size=${heapMiB}`];
  return spawn(process.execPath, ["--enable-source-maps", ...heap, main, thread], {
    cwd: folder,
    env: slotEnvironment(cookie),
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
  });
}

/** The worker's environment without what is Skein's: a task must not find the worker's key there. */
function slotEnvironment(cookie: string): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("SKEIN_") && name !== "NODE_CHANNEL_FD",
  );
  return { ...Object.fromEntries(entries), [cookieName]: cookie };
}

/**
 * The processes that run a peer's workers: this one, or children of it.
 *
 * W1. Counts arrive here as they grow, so the clock can stop without asking the peer's server.
 * W2. A child ends when its channel to us closes, whatever the reason.
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { keepChild, stopChild } from "./cleanup.ts";
import { startPeerWorker } from "./peer-worker.ts";
import type { WorkerSettings } from "./peer-worker.ts";
import { Tally } from "./tally.ts";

/** How long a peer may make no progress at all before that is an error. */
const STALL_MS_MAX = 30_000;

/** The root's tsx, whatever the current directory is. */
const TSX = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

export interface WorkerGroup extends AsyncDisposable {
  /** Resolves when that many tasks are done since the start of the group. */
  readonly waitFor: (count: number) => Promise<void>;
  /** How often each task ran, per process. */
  readonly readTallies: () => Promise<readonly Uint8Array[]>;
}

export type ToChild =
  | { readonly kind: "start"; readonly settings: WorkerSettings; readonly tasksMax: number }
  | { readonly kind: "read" }
  | { readonly kind: "stop" };

export type FromChild =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly count: number }
  | { readonly kind: "seen"; readonly seen: Uint8Array };

export async function startInThisProcess(
  settings: WorkerSettings,
  tasksMax: number,
): Promise<WorkerGroup> {
  const tally = new Tally(tasksMax);
  const progress = new Progress();
  tally.onChange(() => progress.set(0, tally.done));
  const worker = await startPeerWorker(settings, (index) => tally.mark(index));
  return {
    waitFor: (count) => progress.waitFor(count),
    readTallies: () => Promise.resolve([tally.seen]),
    [Symbol.asyncDispose]: () => worker[Symbol.asyncDispose](),
  };
}

export async function startInChildren(
  settings: WorkerSettings,
  tasksMax: number,
  processes: number,
): Promise<WorkerGroup> {
  const progress = new Progress();
  const children = Array.from({ length: processes }, (_, slot) => forkWorker(slot, progress));
  await Promise.all(
    children.map((child) => ask(child, { kind: "start", settings, tasksMax }, "ready")),
  );
  return {
    waitFor: (count) => progress.waitFor(count),
    readTallies: async () => {
      const answers = children.map((child) => ask(child, { kind: "read" }, "seen"));
      return (await Promise.all(answers)).flatMap((answer) =>
        answer.kind === "seen" ? [answer.seen] : [],
      );
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(children.map((child) => endWorker(child)));
    },
  };
}

function forkWorker(slot: number, progress: Progress): ChildProcess {
  const child = fork(join(import.meta.dirname, "worker-process.ts"), {
    execArgv: ["--import", TSX],
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  keepChild(child, "SIGKILL");
  child.on("message", (message: FromChild) => {
    if (message.kind === "done") progress.set(slot, message.count);
  });
  child.once("exit", (code, signal) => {
    if (code !== 0) progress.fail(new Error(`a worker process ended (${code ?? signal})`));
  });
  return child;
}

async function ask(child: ChildProcess, question: ToChild, kind: FromChild["kind"]) {
  return new Promise<FromChild>((resolve, reject) => {
    const onMessage = (message: FromChild): void => {
      if (message.kind !== kind) return;
      child.off("message", onMessage);
      child.off("exit", onExit);
      resolve(message);
    };
    const onExit = (): void => reject(new Error(`a worker process ended before it was ${kind}`));
    child.on("message", onMessage);
    child.once("exit", onExit);
    child.send(question);
  });
}

async function endWorker(child: ChildProcess): Promise<void> {
  if (!child.connected) return;
  const exited = once(child, "exit");
  child.send({ kind: "stop" } satisfies ToChild);
  const timer = setTimeout(() => void stopChild(child, "SIGKILL"), 10_000);
  await exited;
  clearTimeout(timer);
}

/** The sum of what all processes have done, and one waiter for it. */
class Progress {
  readonly #counts: number[] = [];
  #target = Number.POSITIVE_INFINITY;
  #failure: Error | undefined;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  set(slot: number, count: number): void {
    this.#counts[slot] = count;
    if (this.#total() >= this.#target) this.#resolve();
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#reject(this.#failure);
  }

  async waitFor(count: number): Promise<void> {
    let last = -1;
    const watchdog = setInterval(() => {
      const total = this.#total();
      if (total === last) this.fail(new Error(`stalled at ${total} of ${count} tasks`));
      last = total;
    }, STALL_MS_MAX);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#target = count;
        this.#resolve = resolve;
        this.#reject = reject;
        if (this.#failure !== undefined) reject(this.#failure);
        if (this.#total() >= count) resolve();
      });
    } finally {
      clearInterval(watchdog);
    }
  }

  #total(): number {
    return this.#counts.reduce((sum, count) => sum + (count ?? 0), 0);
  }
}

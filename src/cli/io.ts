// The process as the CLI sees it: a port, so that tests run commands without a process.

import { once } from "node:events";

export interface Sink {
  readonly isTTY: boolean;
  /** Of the terminal; undefined when it is none. */
  readonly columns: number | undefined;
  /** Lines of the terminal. */
  readonly rows?: number | undefined;
  /** False when the reader is behind: wait for `drained` before writing much more. */
  write(data: string | Uint8Array): boolean;
  drained(): Promise<void>;
}

export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY: boolean };
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Milliseconds since 1970. */
  now(): number;
  /** Aborted when nobody reads stdout any more (SIGPIPE): the CLI then ends without a word. */
  readonly signal: AbortSignal;
  /**
   * Calls `listener` on Ctrl-C, which then no longer ends the process. Returns a function that
   * stops it.
   */
  onInterrupt(listener: () => void): () => void;
  /** The same for a polite request to end (SIGTERM, SIGHUP). */
  onTerminate(listener: () => void): () => void;
}

/** What `signal` is aborted with. */
export class PipeClosed extends Error {
  override readonly name = "PipeClosed";
}

/** A command that does not notice the closed pipe is not waited for longer than this. */
const pipeGraceMs = 3_000;
export const pipeExit = 141;

export function processIo(): Io {
  const pipe = new AbortController();
  const closed = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "ECONNRESET") throw error;
    if (pipe.signal.aborted) return;
    pipe.abort(new PipeClosed("nobody reads stdout"));
    setTimeout(() => process.exit(pipeExit), pipeGraceMs).unref();
  };
  process.stdout.on("error", closed);
  // Nobody is left to be told.
  process.stderr.on("error", () => {});
  return {
    env: process.env,
    stdin: {
      [Symbol.asyncIterator]: () => process.stdin[Symbol.asyncIterator](),
      get isTTY() {
        return process.stdin.isTTY === true;
      },
    },
    stdout: sinkOf(process.stdout, pipe.signal),
    stderr: sinkOf(process.stderr, pipe.signal),
    now: () => Date.now(),
    signal: pipe.signal,
    onInterrupt: (listener) => onSignals(["SIGINT"], listener),
    onTerminate: (listener) => onSignals(["SIGTERM", "SIGHUP"], listener),
  };
}

function sinkOf(stream: NodeJS.WriteStream, signal: AbortSignal): Sink {
  return {
    get isTTY() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.isTTY ? stream.columns : undefined;
    },
    get rows() {
      return stream.isTTY ? stream.rows : undefined;
    },
    write: (data) => signal.aborted || stream.write(data),
    drained: async () => {
      if (!stream.writableNeedDrain || signal.aborted) return;
      await once(stream, "drain", { signal });
    },
  };
}

function onSignals(names: readonly NodeJS.Signals[], listener: () => void): () => void {
  for (const name of names) process.on(name, listener);
  return () => {
    for (const name of names) process.off(name, listener);
  };
}

/** Everything written reaches its reader before the process ends. */
export async function endProcess(code: number): Promise<never> {
  const flushed = [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => stream.write("", () => resolve())),
  );
  const limit = new Promise<void>((resolve) => setTimeout(resolve, pipeGraceMs).unref());
  await Promise.race([Promise.all(flushed), limit]);
  process.exit(code);
}

// A laptop cluster: `skein up` as a child process, with everything in a temporary directory, which ends with
// whoever started it: by a signal, or, should this process die, because its stdin closes.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { SkeinError } from "../protocol/errors.ts";
import { defer } from "./deferred.ts";

export interface LaptopOptions {
  /** Worker processes; 1 unless set. */
  readonly workers?: number | undefined;
  /** Master processes, of which one leads; 1 unless set. */
  readonly masters?: number | undefined;
  /** Kept afterwards if given; else a temporary directory that is removed. */
  readonly dataDir?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The CLI's JavaScript; that of this package unless given. */
  readonly cli?: string | undefined;
  /** How long it may take to end by itself, in milliseconds. */
  readonly endMs?: number | undefined;
}

export interface Laptop {
  /** Addresses of its masters. */
  readonly urls: readonly string[];
  readonly token: string;
  /** Process ids: of master and workers, as `skein up` names them. */
  readonly pids: Readonly<Record<string, unknown>>;
  /** Why it is no more, once it has ended by itself. */
  readonly ended: () => string | undefined;
  readonly close: () => Promise<void>;
}

const readyMs = 20_000;
const endMsDefault = 8_000;
const stderrCharsMax = 8_192;

/** Starts a cluster and waits until it is ready. @throws SkeinError `unreachable` with what it printed. */
export async function startLaptop(options: LaptopOptions = {}): Promise<Laptop> {
  options.signal?.throwIfAborted();
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "skein-")));
  const child = spawnUp(options.cli ?? cliFile(), dataDir, options);
  const { exited, stderr, code } = watch(child);
  const close = async () => {
    if (code() === undefined) child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), options.endMs ?? endMsDefault);
    await exited;
    clearTimeout(late);
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const ready = await readyLine(child, exited, options.signal);
    for (const stream of [child.stdin, child.stdout, child.stderr]) {
      if (stream instanceof Socket) stream.unref();
    }
    child.unref();
    const ended = () => (code() === undefined ? undefined : `${code()}${stderr()}`);
    return { ...ready, ended, close };
  } catch (cause) {
    await close();
    if (options.signal?.aborted) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SkeinError("unreachable", `The laptop cluster did not start: ${why}${stderr()}`, {
      cause,
      hint: "Try `skein up` by hand, or set SKEIN_URL to use a cluster that runs.",
    });
  }
}

function spawnUp(cli: string, dataDir: string, options: LaptopOptions): ChildProcess {
  const { masters = 1, workers = 1 } = options;
  const { SKEIN_URL: _url, SKEIN_DATA: _data, SKEIN_TOKEN: _token, ...env } = process.env;
  const counts = ["--masters", String(masters), "--workers", String(workers)];
  const args = ["--data", dataDir, "--port", "0", ...counts];
  return spawn(
    process.execPath,
    [cli, "up", ...args, "--json", "--exit-with-stdin"],
    // Not detached: Ctrl-C in a terminal reaches it too, and it ends as this process does.
    { stdio: ["pipe", "pipe", "pipe"], env },
  );
}

/** The compiled CLI, beside this file or, when this runs from source, in dist. */
function cliFile(): string {
  const places = ["../cli/main.js", "../../dist/cli/main.js"];
  const files = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const file = files.find((candidate) => existsSync(candidate));
  if (file !== undefined) return file;
  throw new SkeinError("unreachable", `There is no skein CLI at ${files.join(" or ")}.`, {
    hint: "Build it with `npm run build`, or set SKEIN_URL to use a cluster that runs.",
  });
}

function watch(child: ChildProcess) {
  let text = "";
  let how: string | undefined;
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text = (text + chunk).slice(-stderrCharsMax);
  });
  // Writing to it is never tried, but its end may come as an error.
  child.stdin?.on("error", () => {});
  const exited = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      how ??= error.message;
      resolve();
    });
    child.once("exit", (code, signal) => {
      how ??= signal ? `ended by ${signal}` : `exit code ${code}`;
      resolve();
    });
  });
  return {
    exited,
    code: () => how,
    stderr: () => (text.trim() === "" ? "" : `\n${text.trim()}`),
  };
}

type Ready = Pick<Laptop, "urls" | "token" | "pids">;

async function readyLine(
  child: ChildProcess,
  exited: Promise<void>,
  signal: AbortSignal | undefined,
): Promise<Ready> {
  if (!child.stdout) throw new Error("its output is not readable");
  const limit = AbortSignal.timeout(readyMs);
  const over = signal ? AbortSignal.any([signal, limit]) : limit;
  const lines = createInterface({ input: child.stdout, signal: over });
  const found = defer<Ready>();
  lines.on("line", (line) => {
    const ready = parseReady(line);
    if (ready) found.resolve(ready);
  });
  over.addEventListener("abort", () => {
    found.reject(signal?.aborted ? signal.reason : new Error(`not ready after ${readyMs} ms`));
  });
  void exited.then(() => found.reject(new Error("it ended before it was ready")));
  try {
    return await found.promise;
  } finally {
    lines.close();
    // What it prints later is nobody's, but must not fill the pipe.
    child.stdout.resume();
  }
}

/** As `skein up --json` prints it. */
interface ReadyLine {
  readonly ready: boolean;
  readonly token: string;
  readonly masters: readonly { readonly id: string; readonly url: string; readonly pid: number }[];
  readonly pids: Laptop["pids"];
}

function parseReady(line: string): Ready | undefined {
  try {
    const said = JSON.parse(line) as Partial<ReadyLine>;
    if (!said.ready || said.masters === undefined || typeof said.token !== "string") return;
    const pids = { ...said.pids, masters: said.masters.map(({ id, pid }) => ({ id, pid })) };
    return { urls: said.masters.map(({ url }) => url), token: said.token, pids };
  } catch {
    // Some other line.
    return undefined;
  }
}

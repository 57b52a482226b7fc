// Child processes of `skein up`: this same program as `master` or `worker`.
//
//   U1. A child never outlives this process: it holds the other end of the child's stdin, and the
//       child ends when that closes, however this process died.
//   U2. A child is ready when it says so on its stdout, in one line of JSON.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { defer } from "../sdk/deferred.ts";
import type { Io } from "./io.ts";

export interface Ready {
  readonly url?: string;
  readonly amounts?: Readonly<Record<string, number>>;
}

export interface Child {
  /** For people: "master m1", "worker laptop". */
  readonly name: string;
  readonly pid: number;
  readonly ready: Promise<Ready>;
  readonly lives: boolean;
  /** Resolves, never rejects, with how it ended. */
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** Lets go of its stdin: it then ends by itself, and at once. */
  release(): void;
}

export interface Exit {
  readonly code: number;
  /** "exit code 1", "killed by SIGKILL". */
  readonly how: string;
}

export interface ChildOptions {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Io["env"];
  /** Each line of its stderr. */
  readonly onLine: (line: string) => void;
}

/** A child that did not become ready; what it said went to `onLine`. */
export class ChildFailed extends Error {
  override readonly name = "ChildFailed";
  readonly exit: Exit;

  constructor(child: string, exit: Exit) {
    super(`the ${child} did not start: ${exit.how}`);
    this.exit = exit;
  }
}

export function startChild({ name, args, env, onLine }: ChildOptions): Child {
  // What says which cluster is on the child's command line.
  const { SKEIN_URL: _url, SKEIN_TOKEN: _token, SKEIN_DATA: _data, ...rest } = env;
  const child = spawn(
    process.execPath,
    [...process.execArgv, mainFile(), ...args, "--json", "--exit-with-stdin"],
    // Of this process's group: what stops or kills the group gets all of them.
    { stdio: ["pipe", "pipe", "pipe"], env: rest },
  );
  const { stdin, stdout, stderr } = child;
  // It may be gone by the time its stdin is closed.
  stdin.on("error", () => {});
  const lines = createInterface({ input: stderr });
  lines.on("line", onLine);
  const read = new Promise<void>((resolve) => lines.once("close", resolve));
  const exited = endOf(child).then(async (exit) => {
    await read;
    return exit;
  });
  const ready = defer<Ready>();
  createInterface({ input: stdout }).on("line", (line) => {
    const said = parseReady(line);
    if (said) ready.resolve(said);
  });
  void exited.then((exit) => ready.reject(new ChildFailed(name, exit)));
  // Whoever does not wait for it is not to be ended by it.
  ready.promise.catch(() => {});
  return {
    name,
    pid: child.pid ?? 0,
    ready: ready.promise,
    get lives() {
      return child.exitCode === null && child.signalCode === null;
    },
    exited,
    kill: (signal) => void child.kill(signal),
    release: () => void stdin.end(),
  };
}

function endOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: 70, how: error.message }));
    child.once("exit", (code, signal) => {
      if (signal) resolve({ code: 1, how: `killed by ${signal}` });
      else resolve({ code: code ?? 1, how: `exit code ${code}` });
    });
  });
}

function parseReady(line: string): Ready | undefined {
  try {
    const said = JSON.parse(line) as Ready & { readonly ready?: boolean };
    return said.ready ? said : undefined;
  } catch {
    return undefined; // some other line
  }
}

/** This program, compiled or not. */
function mainFile(): string {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return fileURLToPath(new URL(`./main${extension}`, import.meta.url));
}

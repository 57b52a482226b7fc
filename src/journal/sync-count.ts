// Counts the fsyncs of a process, for the conformance suite: an engine that calls itself durable is
// not believed. Two ways, by what the machine has:
//
//   strace   watches the system calls of the process and all its threads
//   preload  a library, compiled when it is needed, that stands before fsync and fdatasync
//
// The library can also fail every fsync after the first few, with EIO, as a dying disk does.
// Where neither exists the suite can only ask the engine what it is set to, and says so.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface SyncCounter {
  readonly how: "strace" | "preload";
  /** How to start a command so that its fsyncs are counted. */
  readonly wrap: (command: string, args: readonly string[], failAfter?: number) => Started;
  /** Successful ones so far. */
  readonly count: () => number;
}

export interface Started {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** A counter that keeps its files in `folder`, or undefined where nothing can count. */
export function syncCounter(
  folder: string,
  allowed: readonly SyncCounter["how"][] = ["strace", "preload"],
): SyncCounter | undefined {
  return (
    (allowed.includes("strace") ? straceCounter(folder) : undefined) ??
    (allowed.includes("preload") ? preloadCounter(folder) : undefined)
  );
}

function straceCounter(folder: string): SyncCounter | undefined {
  const log = join(folder, "strace.log");
  // It may be installed and still be forbidden to trace.
  if (spawnSync("strace", ["-o", log, "true"]).status !== 0) return undefined;
  const options = ["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", log];
  return {
    how: "strace",
    wrap: (command, args) => ({
      command: "strace",
      args: [...options, command, ...args],
      env: process.env,
    }),
    count: () => readFileSync(log, "utf8").match(/(fsync|fdatasync)\b.*= 0$/gm)?.length ?? 0,
  };
}

const source = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static int calls = 0;
static int failing(void) {
  const char *after = getenv("SKEIN_SYNC_FAIL_AFTER");
  if (!after || __sync_add_and_fetch(&calls, 1) <= atoi(after)) return 0;
  errno = EIO;
  return 1;
}
static int counted(int result) {
  int log = open(getenv("SKEIN_SYNC_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (result == 0 && log >= 0 && write(log, "s", 1) != 1) abort();
  close(log);
  return result;
}
int fsync(int fd) { return failing() ? -1 : counted(syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { return failing() ? -1 : counted(syscall(SYS_fdatasync, fd)); }
`;

function preloadCounter(folder: string): SyncCounter | undefined {
  if (process.platform !== "linux") return undefined;
  const library = join(folder, "count-syncs.so");
  const file = join(folder, "count-syncs.c");
  writeFileSync(file, source);
  const built = spawnSync("cc", ["-shared", "-fPIC", "-O1", "-o", library, file]);
  if (built.status !== 0) return undefined;
  const log = join(folder, "syncs.log");
  return {
    how: "preload",
    wrap: (command, args, failAfter) => ({
      command,
      args,
      env: {
        ...process.env,
        LD_PRELOAD: library,
        SKEIN_SYNC_LOG: log,
        ...(failAfter === undefined ? {} : { SKEIN_SYNC_FAIL_AFTER: String(failAfter) }),
      },
    }),
    count: () => (existsSync(log) ? statSync(log).size : 0),
  };
}

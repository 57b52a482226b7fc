// Who holds a lock on a file, by the word of the kernel. Linux only.

import { readFileSync, statSync } from "node:fs";

/** "1: POSIX  ADVISORY  WRITE 4711 fe:00:2146457 120 120"; one that waits has "->" after the number. */
const line = /^\d+: POSIX +\S+ +(READ|WRITE) +(\d+) [^ :]+:[^ :]+:(\d+) (\d+) (\d+|EOF)$/;

/**
 * Pids of those who keep others from this byte of the file: fcntl's locks, as SQLite takes them. Undefined where the
 * kernel does not tell: this process must have a lock of its own on the file, and it must be in the list.
 */
export function lockHolders(file: string, byte: number): readonly number[] | undefined {
  try {
    // Never opened: the kernel drops all locks of a process on a file when it closes any descriptor of it.
    const inode = String(statSync(file, { bigint: true }).ino);
    const found = readFileSync("/proc/locks", "utf8")
      .split("\n")
      .map((text) => line.exec(text))
      .filter((lock) => lock?.[3] === inode)
      .map((lock) => lock ?? []);
    if (!found.some(([, , pid]) => Number(pid) === process.pid)) return undefined;
    return found
      .filter(([, kind, , , from, to]) => kind === "WRITE" && isWithin(byte, from, to))
      .map(([, , pid]) => Number(pid));
  } catch {
    return undefined;
  }
}

function isWithin(byte: number, from = "", to = ""): boolean {
  return Number(from) <= byte && (to === "EOF" || byte <= Number(to));
}

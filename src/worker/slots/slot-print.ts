// Output of attempts on its way to the worker. What user code prints with console.log or
// process.stdout.write goes to the attempt that runs, exactly: it leaves in the same stream of messages as
// the ends of attempts. What native code or a child process of a function writes to fd 1 or 2 itself is read
// by the worker from the pipes, and counts for the attempt it believes to run.

import { limits } from "../../protocol/limits.ts";
import type { Runner } from "./slot-runner.ts";

export type Print = (stream: "stdout" | "stderr", bytes: Uint8Array) => void;

type WriteDone = (error?: Error | null) => void;

const aliveMs = 100;
const nothing = new Uint8Array(0);

/** Sends what is printed, up to the limit per attempt; past it only, now and then, that it goes on. */
export function createPrint(runner: Runner): Print {
  let seq = -1;
  let left = 0;
  let saidAt = 0;
  return (stream, bytes) => {
    if (runner.printing !== seq) {
      seq = runner.printing;
      left = limits.logBytesMax;
    }
    if (left >= 0) {
      // One byte too many is sent, from which the worker knows that something was cut.
      const kept = bytes.length > left ? bytes.subarray(0, left + 1) : bytes;
      left -= kept.length;
      runner.outbox.send({ kind: "log", seq, stream, bytes: kept });
      return;
    }
    const now = performance.now();
    if (now - saidAt < aliveMs) return;
    saidAt = now;
    runner.outbox.send({ kind: "log", seq, stream, bytes: nothing });
  };
}

/** From now on console.log and process.stdout.write print through `print`. */
export function captureOutput(print: Print): void {
  patch(process.stdout, (bytes) => print("stdout", bytes));
  patch(process.stderr, (bytes) => print("stderr", bytes));
}

function patch(stream: NodeJS.WriteStream, print: (bytes: Uint8Array) => void): void {
  const write = (
    chunk: string | Uint8Array,
    encodingOrDone?: BufferEncoding | WriteDone,
    done?: WriteDone,
  ): boolean => {
    const encoding = typeof encodingOrDone === "string" ? encodingOrDone : "utf8";
    print(typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk);
    const told = typeof encodingOrDone === "function" ? encodingOrDone : done;
    if (told) process.nextTick(told);
    return true;
  };
  stream.write = write as typeof stream.write;
}

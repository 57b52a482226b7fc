// The process of a slot. It runs what the worker sends over fd 3; stdout and stderr stay the user's, and a
// thread watches over it (slot-thread.ts). Its working folder is its own and is removed when it ends.
//
// argv: the file of the thread's code.

import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { endReasons } from "../../protocol/model.ts";
import { silentLog } from "../../lib/log.ts";
import { startExport } from "../../lib/tracing.ts";
import { FrameReader } from "./frames.ts";
import { killSlot } from "./kill-slot.ts";
import { cell, phase, RowBuffer } from "./rows.ts";
import { CommandPerformer } from "./slot-command.ts";
import { slotEnd } from "./slot-context.ts";
import { FunctionPerformer, type PreparedTasks } from "./slot-function.ts";
import { Outbox } from "./slot-outbox.ts";
import { captureOutput, createPrint } from "./slot-print.ts";
import { Runner, type Performer } from "./slot-runner.ts";
import { errorText, toTaskError } from "./task-errors.ts";
import type { SlotJob, ToSlot } from "./wire.ts";

const rows = new RowBuffer();
const thread = new Worker(process.argv[2] ?? "", {
  workerData: { shared: rows.shared, fd: 4 },
  execArgv: [],
  // Its few messages need little; its memory is not to count against a task's.
  resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 32 },
});
thread.unref();
// Without its watchdog a slot must not run anything.
thread.on("error", (error) => leave(`its watchdog failed: ${error.message}`));

// The worker has said what is missing.
const exporting = startExport("skein-slot", silentLog);
const socket = new Socket({ fd: 3, readable: true, writable: true });
const outbox = new Outbox(socket, rows);
const runner = new Runner(outbox, rows, { wake: () => thread.postMessage("look"), performerOf });
const print = createPrint(runner);
const prepared: PreparedTasks = new Map();
const reader = new FrameReader();

captureOutput(print);
socket.on("data", (chunk) => {
  for (const message of reader.push(chunk)) take(message as ToSlot);
});
// The worker is gone: the thread sees it too, but may not have started yet.
socket.on("close", () => killSlot(rows.cells));
socket.on("error", () => {});
process.on("uncaughtException", (error, origin) => broken(error, origin));
process.on("exit", () => outbox.flush());
outbox.send({ kind: "ready" });

function take(message: ToSlot): void {
  switch (message.kind) {
    case "job":
      return runner.serve(message);
    case "give":
      return runner.give(message);
    case "drop":
      return runner.drop(message.count);
    case "abort":
      return runner.abort(message);
    case "stop":
      return leave("stopped");
    default:
      message satisfies never;
  }
}

function performerOf(job: SlotJob, of: Runner): Performer {
  const { code } = job;
  if (code.kind === "function") return new FunctionPerformer(job, code.file, of, prepared);
  const onGroup = (pid: number) => {
    Atomics.store(rows.cells, cell.group, pid);
    outbox.send({ kind: "group", pid });
  };
  return new CommandPerformer(job, code, of, { print, onGroup, onBroken: leave });
}

/** An error that no attempt caught: it fails the one that runs, and this process is not to be trusted. */
function broken(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
  const what = origin === "unhandledRejection" ? "an unhandled rejection" : "an uncaught exception";
  const problem = toTaskError(error);
  const message = `${what}: ${problem.message}`;
  runner.close();
  const running = runner.running;
  if (running) {
    const loading = Atomics.load(rows.cells, cell.phase) === phase.load;
    const reason = loading ? endReasons.load : endReasons.error;
    runner.end(running, reason.code, errorText({ ...problem, message }));
  }
  leave(message);
}

function leave(reason: string): void {
  runner.close();
  outbox.send({ kind: "leaving", reason });
  slotEnd.abort(new Error(`the slot ends: ${reason}`));
  socket.removeAllListeners("close");
  outbox.end(() => void exporting.flush().finally(() => process.exit(0)));
}

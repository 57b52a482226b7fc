// The thread that keeps a master's logs: every call is one message, answered by one.

import { parentPort } from "node:worker_threads";
import { SkeinError } from "../../protocol/errors.ts";
import { jobLines } from "./job-lines.ts";
import type { FromLogThread, LogCall, LogCalls, ToLogThread } from "./log-calls.ts";
import { LogSegments } from "./log-segments.ts";

if (!parentPort) throw new Error("log-thread.ts runs as a worker thread only");
const port = parentPort;
let segments: LogSegments | undefined;

type Handlers = { readonly [K in LogCall]: (ask: LogCalls[K]["ask"]) => LogCalls[K]["answer"] };

const handlers: Handlers = {
  open({ dir, segmentBytes }) {
    segments = new LogSegments(dir, segmentBytes);
    return { damaged: segments.damaged };
  },
  add: ({ body, wall }) => ({ pieces: opened().add(body, wall) }),
  read: (ask) => opened().read(ask),
  extent: (ask) => opened().extent(ask),
  lines: (ask) => jobLines(opened(), ask),
  prune: (ask) => opened().prune(ask),
  usage: () => ({ segments: opened().all.length, bytes: opened().bytes }),
  close() {
    segments?.close();
    segments = undefined;
    return null;
  },
};

function opened(): LogSegments {
  if (!segments) throw new Error("the logs are not open");
  return segments;
}

port.on("message", ({ id, call, ask }: ToLogThread) => {
  try {
    // The other side is typed by the same table.
    const handle = handlers[call] as (given: unknown) => unknown;
    say({ id, answer: handle(ask) });
  } catch (error) {
    say({ id, code: codeOf(error), why: error instanceof Error ? error.message : String(error) });
  }
});

function say(message: FromLogThread): void {
  port.postMessage(message);
}

const sqliteFull = 13;

function codeOf(error: unknown): "invalid" | "full" | "failed" {
  if (error instanceof SkeinError && error.code === "invalid") return "invalid";
  const code =
    typeof error === "object" && error !== null && "errcode" in error ? Number(error.errcode) : 0;
  return (code & 0xff) === sqliteFull ? "full" : "failed";
}

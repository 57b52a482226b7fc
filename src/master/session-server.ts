// Worker sessions on the wire: a WebSocket at /v1/session (see wire.ts for its frames).

import type { IncomingMessage } from "node:http";
import type { WebSocket } from "ws";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { limits } from "../protocol/limits.ts";
import type { MasterMessage, WorkerMessage } from "../protocol/messages.ts";
import type { Sessions } from "./sessions.ts";
import { storedHashes } from "../protocol/outcome-block.ts";
import { MessageError } from "./message-fields.ts";
import type { PayloadCopies } from "./payload-copies.ts";
import { PayloadGate } from "./payload-gate.ts";
import { remoteOf } from "./upgrades.ts";
import type { ServeSocket } from "./upgrades.ts";
import { keepAlive, listenTo, Wire } from "./wire.ts";
import { WorkerMessages } from "./worker-messages.ts";

export interface SessionServerOptions {
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly log: Log;
  /** Results that are stored payloads wait until enough masters have these (A1). */
  readonly copies: Pick<PayloadCopies, "areSecure" | "secure">;
}

/** Both sides say something at least this often. */
const pingMs = 1_000;
/** Pings without a word from the other side: it is no worker, or gone. A stall here is one ping only. */
const quietMax = limits.lostAfterMs / pingMs;

export function serveSessions(options: SessionServerOptions): ServeSocket {
  return (socket, request) => serve(socket, request, options);
}

function serve(socket: WebSocket, request: IncomingMessage, options: SessionServerOptions): void {
  const { sessions, clock, log } = options;
  const messages = new WorkerMessages();
  const wire = new Wire<MasterMessage, WorkerMessage>(socket, {
    remote: remoteOf(request),
    check: (raw) => messages.check(raw),
    weight,
  });
  const failed = (error: unknown) => refuse(wire, error, log);
  const gate = new PayloadGate<WorkerMessage>({
    copies: options.copies,
    named: storedBy,
    pass: (message) => sessions.received(wire, message),
    failed,
  });
  sessions.opened(wire);
  let quiet = 0;
  const stop = keepAlive(clock, pingMs, () => {
    if (++quiet > quietMax) socket.terminate();
    else wire.send([]);
  });
  listenTo(socket, wire, {
    received(taken) {
      quiet = 0;
      sessions.heard(wire);
      gate.take(taken);
    },
    failed,
    closed(reason) {
      stop();
      gate.close();
      sessions.closed(wire, reason);
    },
  });
}

function refuse(wire: Wire<MasterMessage, WorkerMessage>, error: unknown, log: Log): void {
  const why = error instanceof Error ? error.message : String(error);
  log.warn("a worker sent what is no frame", { remote: wire.remote, why });
  log.debug("where it failed", { error });
  // A worker that says what no master takes would say it again.
  if (error instanceof MessageError) {
    const message = `This master cannot take what the worker says: ${why}.`;
    wire.send([{ kind: "refuse", code: error.code, message }]);
  }
  wire.close(`a frame could not be read: ${why}`);
}

/** Stored payloads that the results in a message name. */
function storedBy(message: WorkerMessage): readonly string[] {
  if (message.kind !== "report" && message.kind !== "register") return [];
  const reports = message.kind === "report" ? [message] : message.reports;
  const blocks = reports.flatMap((report) => report.blocks);
  return blocks.flatMap(({ bytes, payloads = [] }) => [...storedHashes(bytes), ...payloads]);
}

function weight(message: MasterMessage): number {
  if (message.kind === "start")
    return message.ranges.reduce((sum, range) => sum + range.inputs.length, 1_024);
  return message.kind === "verdict" ? 64 * (message.kill.length + 1) : 256;
}

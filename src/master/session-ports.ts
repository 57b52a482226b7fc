// What worker sessions need from outside, and what is known of each.

import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type {
  LogChunk,
  MasterMessage,
  WorkerHello,
  WorkerLoad,
  WorkerMessage,
} from "../protocol/messages.ts";
import type { WorkerInfo } from "../protocol/model.ts";
import type { LoopIdentity } from "./loop-ports.ts";
import type { Loop } from "./loop.ts";

/** One connection of a worker; frames, acks and pings are below it. */
export interface Connection {
  readonly remote: string;
  send(messages: readonly MasterMessage[]): void;
  close(reason: string): void;
}

export interface SessionsPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly loop: Loop;
  readonly journalId: string;
  readonly version: string;
  readonly identity: LoopIdentity;
  /** W4; the default unless set. */
  readonly lostAfterMs?: number | undefined;
  /** Dials the worker's own port (W5); false only if that proves that its process has ended. */
  dial(worker: Pick<WorkerInfo, "address" | "network">, done: (answers: boolean) => void): void;
  /** The brake was put on: these workers fell silent (L8). Once for each brake. */
  onBraked?(silent: readonly number[]): void;
  onLogChunk(worker: number, chunk: LogChunk): void;
  onWorkerGone(worker: number): void;
}

/** A connection from its first message on. */
export interface Session {
  readonly connection: Connection;
  hello: WorkerHello | null;
  worker: number;
  incarnation: string;
  phase: "dialled" | "greeted" | "registering" | "active" | "closed";
  /** What came behind a registration that is not decided yet. */
  readonly early: WorkerMessage[];
  load: WorkerLoad | null;
  heardAt: number;
}

/** What is known of a worker beside the state: when it was heard. */
export interface Watch {
  heardAt: number;
  silent: boolean;
  losing: boolean;
  dialling: boolean;
}

// The other thread of a slot. It never runs user code, so nothing a task does delays it. It
//
//   - kills the slot's process group, and the group of the command that runs, when the pipe on fd 4 closes:
//     the worker is gone, however it died (W7);
//   - tells the worker which attempt has been running for a while, which arms its timeouts (T2);
//   - sends rows that the main thread did not get to send, because a task holds it (rows.ts).
//
// The main thread sets cells in shared memory, which costs next to nothing per task, and this thread looks
// at them every few milliseconds. It sleeps when nothing has run for half a second.

import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { encodeFrame } from "./frames.ts";
import { killSlot } from "./kill-slot.ts";
import { cell, cellBytes } from "./rows.ts";
import type { FromSlot } from "./wire.ts";

const lookMs = 10;
const idleLooksMax = 50;

const { shared, fd } = workerData as { shared: SharedArrayBuffer; fd: number };
const cells = new Int32Array(shared, 0, cellBytes / 4);
const rows = new Uint8Array(shared, cellBytes);
const socket = new Socket({ fd, readable: true, writable: true });

let idleLooks = 0;
let seenSeq = 0;
let seenAt = 0;
let saidSeq = 0;
let seenEpoch = -1;
let seenPending = 0;
let sentEpoch = -1;
let sentPending = 0;

socket.on("error", () => killSlot(cells));
socket.on("close", () => killSlot(cells));
socket.resume();
parentPort?.on("message", () => {
  idleLooks = 0;
  look();
});

function look(): void {
  const seq = Atomics.load(cells, cell.seq);
  idleLooks = seq === 0 ? idleLooks + 1 : 0;
  if (idleLooks > idleLooksMax && fallAsleep()) return;
  lookAtAttempt(seq);
  lookAtRows();
  setTimeout(look, lookMs);
}

/** False when an attempt began meanwhile: whoever sees the other's store last keeps this thread awake. */
function fallAsleep(): boolean {
  Atomics.store(cells, cell.awake, 0);
  if (Atomics.load(cells, cell.seq) === 0) return true;
  Atomics.store(cells, cell.awake, 1);
  return false;
}

function lookAtAttempt(seq: number): void {
  const now = performance.now();
  if (seq !== seenSeq) {
    seenSeq = seq;
    seenAt = now;
    return;
  }
  // Loading and setup come first and run follows, each with a notice of its own.
  const phase = Atomics.load(cells, cell.phase);
  const said = seq * 4 + phase;
  if (seq === 0 || said === saidSeq) return;
  if (Math.floor(saidSeq / 4) === seq) seenAt = now;
  saidSeq = said;
  send({ kind: "running", seq, phase, forMs: now - seenAt });
}

function lookAtRows(): void {
  const epoch = Atomics.load(cells, cell.epoch);
  const pending = Atomics.load(cells, cell.pending);
  const unmoved = pending > 0 && epoch === seenEpoch && pending === seenPending;
  seenEpoch = epoch;
  seenPending = pending;
  if (!unmoved || (epoch === sentEpoch && pending === sentPending)) return;
  const bytes = new Uint8Array(pending);
  bytes.set(rows.subarray(0, pending));
  // Sent by the main thread while we copied: the copy may be torn, and is not needed.
  if (Atomics.load(cells, cell.epoch) !== epoch) return;
  sentEpoch = epoch;
  sentPending = pending;
  send({ kind: "rows", bytes });
}

function send(message: FromSlot): void {
  if (socket.writable) socket.write(encodeFrame([message]));
}

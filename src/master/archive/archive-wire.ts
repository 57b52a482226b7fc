// What was added, as bytes: how it goes from the loop to the archive's thread. One buffer a turn is
// handed over instead of a thousand small objects copied: that costs the loop a memcpy.
//
//   add     varint index, wall, count of events, events
//   event   kind byte, then its fields: varints, and texts and bytes after their length

import { ByteReader, type ByteWriter } from "../../protocol/varint.ts";
import { eventKinds, eventLevels } from "../../protocol/event.ts";
import type { ArchiveEvent, FinalState, Labels, Noted } from "./archive.ts";

export interface Added {
  readonly index: number;
  readonly wall: number;
  readonly events: readonly ArchiveEvent[];
}

const kinds = ["job", "inputs", "outcomes", "attempt", "jobEnded", "retired", "note"] as const;
export const finalStates = ["succeeded", "failed", "cancelled"] as const;

export function writeAdded(writer: ByteWriter, added: Added): void {
  writer.varint(added.index);
  writer.varint(Math.max(0, Math.round(added.wall)));
  writer.varint(added.events.length);
  for (const event of added.events) writeEvent(writer, event);
}

export function* readAll(bytes: Uint8Array): Iterable<Added> {
  const reader = new ByteReader(bytes);
  while (reader.left > 0) {
    const index = reader.varint();
    const wall = reader.varint();
    const events = Array.from({ length: reader.varint() }, () => readEvent(reader));
    yield { index, wall, events };
  }
}

function writeEvent(writer: ByteWriter, event: ArchiveEvent): void {
  writer.byte(kinds.indexOf(event.kind));
  if (event.kind === "note") return writeNote(writer, event);
  writer.varint(event.kind === "job" ? event.number : event.job);
  switch (event.kind) {
    case "job":
      for (const field of [event.id, event.queue, event.task, event.by, event.json]) {
        writeText(writer, field);
      }
      writeText(writer, JSON.stringify(event.labels));
      return writer.varint(Math.max(0, Math.round(event.created)));
    case "inputs":
      writer.varint(event.first);
      writer.varint(event.count);
      return writeBytes(writer, event.bytes);
    case "outcomes":
      writer.varint(event.n);
      writeText(writer, event.worker);
      return writeBytes(writer, event.block);
    case "attempt":
      for (const field of [event.task, event.attempt, event.code, event.charged ? 1 : 0]) {
        writer.varint(field);
      }
      for (const field of [event.started, event.micros, event.logBytes]) {
        writer.varint(Math.max(0, Math.round(field)));
      }
      writeText(writer, event.worker);
      writer.byte(event.error ? 1 : 0);
      return event.error ? writeBytes(writer, event.error) : undefined;
    case "jobEnded":
      writer.byte(finalStates.indexOf(event.state));
      return writeText(writer, event.json);
    case "retired":
      return undefined;
    default:
      return event satisfies never;
  }
}

function readEvent(reader: ByteReader): ArchiveEvent {
  const kind = kinds[reader.byte()];
  if (kind === "note") return readNote(reader);
  const job = reader.varint();
  switch (kind) {
    case "job":
      return readJob(reader, job);
    case "inputs":
      return {
        kind,
        job,
        first: reader.varint(),
        count: reader.varint(),
        bytes: readBytes(reader),
      };
    case "outcomes":
      return { kind, job, n: reader.varint(), worker: readText(reader), block: readBytes(reader) };
    case "attempt":
      return {
        kind,
        job,
        task: reader.varint(),
        attempt: reader.varint(),
        code: reader.varint(),
        charged: reader.varint() === 1,
        started: reader.varint(),
        micros: reader.varint(),
        logBytes: reader.varint(),
        worker: readText(reader),
        error: reader.byte() === 1 ? readBytes(reader) : null,
      };
    case "jobEnded":
      return { kind, job, state: finalState(reader.byte()), json: readText(reader) };
    case "retired":
      return { kind, job };
    default:
      throw new RangeError(`unknown kind of archive event: ${String(kind satisfies undefined)}`);
  }
}

function writeNote(writer: ByteWriter, note: Noted): void {
  writer.byte(eventKinds.indexOf(note.about));
  writer.byte(eventLevels.indexOf(note.level));
  for (const field of [note.text, note.job, note.worker, note.queue, note.master]) {
    writeText(writer, field);
  }
}

function readNote(reader: ByteReader): Noted {
  const about = eventKinds[reader.byte()];
  const level = eventLevels[reader.byte()];
  if (!about || !level) throw new RangeError("unknown kind or level of a note");
  const text = readText(reader);
  const [job, worker] = [readText(reader), readText(reader)];
  const [queue, master] = [readText(reader), readText(reader)];
  return { kind: "note", about, level, text, job, worker, queue, master };
}

function readJob(reader: ByteReader, number: number): ArchiveEvent {
  const id = readText(reader);
  const queue = readText(reader);
  const task = readText(reader);
  const by = readText(reader);
  const json = readText(reader);
  // Written from the same type a moment ago, by this process.
  const labels = JSON.parse(readText(reader)) as Labels;
  return { kind: "job", number, id, queue, labels, task, by, json, created: reader.varint() };
}

export function finalState(place: number): FinalState {
  const state = finalStates[place];
  if (!state) throw new RangeError(`unknown final state ${place}`);
  return state;
}

function writeText(writer: ByteWriter, value: string): void {
  writeBytes(writer, Buffer.from(value));
}

function writeBytes(writer: ByteWriter, value: Uint8Array): void {
  writer.varint(value.length);
  writer.bytes(value);
}

function readText(reader: ByteReader): string {
  const { buffer, byteOffset, length } = readBytes(reader);
  // For short texts several times as fast as a TextDecoder.
  return Buffer.from(buffer, byteOffset, length).toString();
}

function readBytes(reader: ByteReader): Uint8Array {
  return reader.bytes(reader.varint());
}

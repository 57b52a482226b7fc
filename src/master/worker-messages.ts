// What a worker's session may say, checked once at the edge: behind it every message has its shape, names are
// names and numbers are whole. What a broken worker sends never reaches a decision, nor the journal.
//
//   E1. One session is one life of one worker: what registers is what said hello.
//   E2. A range is as large as a worker can hold, so that no loop over its tasks is a stall.
//   E3. A block of outcomes decodes, and its reasons are known: the journal keeps it as it came (W11).
//   E4. What is wrong is a refusal, since the worker would say it again; words for people that are merely too
//       long are cut.

import type { Incarnation, WorkerId } from "../protocol/ids.ts";
import { hashPattern, namePattern } from "../protocol/ids.ts";
import { limits } from "../protocol/limits.ts";
import type { WorkerMessage } from "../protocol/messages.ts";
import { endReasons } from "../protocol/model.ts";
import { decodeOutcomes, decodeStored, outcomeItem, storedBit } from "../protocol/outcome-block.ts";
import {
  cut,
  fields,
  isWhole,
  list,
  MessageError,
  text,
  textMax,
  whole,
  wrong,
} from "./message-fields.ts";
import { incarnationPattern, shown } from "./message-fields.ts";
import type { Fields } from "./message-fields.ts";

interface Life {
  readonly id: WorkerId;
  readonly incarnation: Incarnation;
}

/** Tasks that one message may name in ranges: all slots of a large machine, sent ahead in full. */
const rangeTasksMax = limits.aheadPerSlotMax * 4_096;
const reasonCodes: ReadonlySet<number> = new Set(Object.values(endReasons).map(({ code }) => code));

/** Checks the messages of one session, in their order. */
export class WorkerMessages {
  #life: Life | undefined;

  /** The messages of a frame. @throws MessageError */
  check(messages: readonly unknown[]): readonly WorkerMessage[] {
    for (const message of messages) this.#message(fields(message, "a message"));
    return (messages as readonly WorkerMessage[]).map(shortened);
  }

  #message(message: Fields): void {
    switch (message["kind"]) {
      case "hello":
        return this.#hello(message);
      case "register":
        return this.#register(message);
      case "report":
        return checkReport(message);
      case "progress":
        return checkProgress(message);
      case "logChunk":
        return checkLogChunk(message);
      case "leaving":
        return whole(message, "deadlineMs");
      case "goodbye":
        return text(message, "reason", Infinity);
      default: {
        const what = `a message of unknown kind: ${shown(message["kind"])}`;
        throw new MessageError(what, "protocol_version");
      }
    }
  }

  #hello(hello: Fields): void {
    if (this.#life) throw new MessageError("a second hello");
    const [min, max] = list(hello, "protocol");
    if (!isWhole(min) || !isWhole(max)) throw wrong("protocol", hello["protocol"], "[min, max]");
    text(hello, "version");
    if (hello["journalId"] !== null) text(hello, "journalId");
    this.#life = lifeOf(hello);
  }

  #register(message: Fields): void {
    whole(message, "term");
    whole(message, "recorded");
    const info = fields(message["info"], "info");
    checkInfo(info);
    const { id, incarnation } = lifeOf(info);
    if (id !== this.#life?.id || incarnation !== this.#life.incarnation) {
      throw new MessageError("what registers is not what said hello");
    }
    checkRanges(list(message, "held"), "held");
    checkRanges(list(message, "started"), "started");
    for (const report of list(message, "reports")) checkReport(fields(report, "reports"));
    const { leaving } = message;
    if (leaving !== undefined) whole(fields(leaving, "leaving"), "deadlineMs");
  }
}

function lifeOf(of: Fields): Life {
  const { id, incarnation } = of;
  if (typeof id !== "string" || !namePattern.test(id)) throw wrong("id", id, "a name");
  if (typeof incarnation !== "string" || !incarnationPattern.test(incarnation)) {
    throw wrong("incarnation", incarnation, "letters and digits");
  }
  return { id, incarnation };
}

function checkInfo(info: Fields): void {
  for (const name of ["version", "hostname", "node", "platform", "address", "pool"] as const) {
    text(info, name);
  }
  text(info, "namespace");
  if (info["network"] !== undefined) text(info, "network");
  text(info, "by");
  whole(info, "protocol");
  whole(info, "pid");
  for (const [name, amount] of Object.entries(fields(info["amounts"], "amounts"))) {
    if (!namePattern.test(name) || !isWhole(amount)) {
      throw wrong(`amounts.${name}`, amount, "thousandths, whole, under a name");
    }
  }
  const labels = Object.entries(fields(info["labels"], "labels"));
  if (labels.length > limits.labelsMax) throw new MessageError("too many labels");
  for (const [name, value] of labels) {
    const fits = typeof value === "string" && value.length <= limits.labelBytesMax;
    if (!namePattern.test(name) || !fits) throw wrong(`labels.${name}`, value, "a short text");
  }
}

function checkReport(report: Fields): void {
  whole(report, "n");
  for (const block of list(report, "blocks")) checkBlock(fields(block, "a block"));
  checkRanges(list(report, "returned"), "returned");
}

/** E3. */
function checkBlock(block: Fields): void {
  whole(block, "job");
  if (block["payloads"] !== undefined) {
    for (const hash of list(block, "payloads")) {
      if (typeof hash !== "string" || !hashPattern.test(hash))
        throw wrong("payloads", hash, "a hash");
    }
  }
  const { bytes } = block;
  if (!(bytes instanceof Uint8Array)) throw wrong("a block's bytes", bytes, "bytes");
  try {
    const columns = decodeOutcomes(bytes);
    for (let i = 0; i < columns.count; i++) {
      const code = columns.codes[i] ?? 0;
      if (!reasonCodes.has(code & ~storedBit)) {
        throw new MessageError(`unknown end reason ${code & ~storedBit}`, "protocol_version");
      }
      if ((code & storedBit) !== 0) decodeStored(outcomeItem(columns, i).value);
    }
  } catch (error) {
    if (error instanceof MessageError) throw error;
    throw new MessageError(`a block cannot be read: ${(error as Error).message}`);
  }
}

function checkProgress(progress: Fields): void {
  checkRanges(list(progress, "started"), "started");
  for (const task of list(progress, "tasks")) {
    const of = fields(task, "tasks");
    for (const name of ["job", "task", "attempt"]) whole(of, name);
    const { percent, message } = of;
    if (typeof percent !== "number" || !(percent >= 0 && percent <= 100)) {
      throw wrong("percent", percent, "0 to 100");
    }
    if (message !== undefined) text(of, "message", Infinity);
  }
  const load = fields(progress["load"], "load");
  for (const name of ["slotsBusy", "slots", "spoolBytes", "memoryFreeMiB", "diskFreeBytes"]) {
    whole(load, name);
  }
}

function checkLogChunk(chunk: Fields): void {
  whole(chunk, "request");
  whole(chunk, "offset");
  const { bytes, end, problem } = chunk;
  if (!(bytes instanceof Uint8Array)) throw wrong("a log chunk's bytes", bytes, "bytes");
  if (typeof end !== "boolean") throw wrong("end", end, "true or false");
  if (problem !== undefined) text(chunk, "problem", Infinity);
}

/** E2. */
function checkRanges(ranges: readonly unknown[], name: string): void {
  let tasks = 0;
  for (const range of ranges) {
    const { job, first, count, attempt } = fields(range, name);
    if (!isWhole(job) || !isWhole(first) || !isWhole(count) || !isWhole(attempt)) {
      throw wrong(name, range, "{job, first, count, attempt}");
    }
    tasks += count;
  }
  if (tasks > rangeTasksMax) throw new MessageError(`${name} names ${tasks} tasks`);
}

/** E4. */
function shortened(message: WorkerMessage): WorkerMessage {
  if (message.kind === "goodbye") return { ...message, reason: cut(message.reason, textMax) };
  if (message.kind === "logChunk" && message.problem !== undefined) {
    return { ...message, problem: cut(message.problem, limits.errorBytesMax) };
  }
  if (message.kind !== "progress") return message;
  const tasks = message.tasks.map((task) =>
    task.message === undefined
      ? task
      : { ...task, message: cut(task.message, limits.errorBytesMax) },
  );
  return { ...message, tasks };
}

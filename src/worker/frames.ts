// Frames as bytes: MessagePack, checked once when they come in, trusted afterwards.
//
// A message of a kind that is not known is skipped: a newer master may say more than this worker
// understands. One that is known and malformed condemns the connection.

import { Decoder, Encoder } from "@msgpack/msgpack";
import { hashPattern, jobIdPattern } from "../protocol/ids.ts";
import { limits } from "../protocol/limits.ts";
import type {
  AttemptRange,
  Frame,
  JobDescriptor,
  MasterMessage,
  StartRange,
  WorkerMessage,
} from "../protocol/messages.ts";

/** The bytes are no frame of this protocol. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

const encoder = new Encoder({ ignoreUndefined: true });
const decoder = new Decoder({
  maxBinLength: limits.frameBytesMax,
  maxStrLength: limits.frameBytesMax,
  maxArrayLength: 1_000_000,
  maxMapLength: 65_536,
  maxExtLength: 1_024,
});

export function encodeFrame(frame: Frame<WorkerMessage>): Uint8Array {
  return encoder.encode(frame);
}

export function decodeFrame(bytes: Uint8Array): Frame<MasterMessage> {
  const frame = decode(bytes);
  if (!Array.isArray(frame) || frame.length !== 3) throw new FrameError("not a frame");
  const [n, ack, messages] = frame as unknown[];
  if (!isCount(n) || !isCount(ack) || !Array.isArray(messages)) throw new FrameError("not a frame");
  return [n, ack, messages.filter((message) => isMessage(message))];
}

function decode(bytes: Uint8Array): unknown {
  try {
    // Columns in a Buffer would be Buffers, whose methods are slower on short lines.
    return decoder.decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch (error) {
    throw new FrameError("not MessagePack", { cause: error });
  }
}

/** About how many bytes a message takes in a frame. */
export function messageBytes(message: WorkerMessage): number {
  switch (message.kind) {
    case "report":
      return message.blocks.reduce((sum, block) => sum + block.bytes.length + 32, 128);
    case "register":
      return message.reports.reduce(
        (sum, report) => sum + messageBytes(report),
        4_096 + (message.held.length + message.started.length) * 48,
      );
    case "progress":
      return 512 + message.started.length * 48 + message.tasks.length * 128;
    case "logChunk":
      return message.bytes.length + 256;
    default:
      return 1_024;
  }
}

// ── checks ───────────────────────────────────────────────────────────────────────────────

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isString: Check = (value) => typeof value === "string";
const isBoolean: Check = (value) => typeof value === "boolean";
const isBytes: Check = (value) => value instanceof Uint8Array;

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every((item) => check(item));

const recordOf =
  (check: Check): Check =>
  (value) =>
    isFields(value) && Object.values(value).every((item) => check(item));

const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isFields(value) && Object.entries(checks).every(([name, check]) => check(value[name]));

const labels = recordOf(isString);
const task: Check = (value) => isCount(value) && value <= limits.tasksPerJobMax;

const rangeChecks = { job: isCount, first: task, count: task, attempt: isCount };
const range = fields(rangeChecks) satisfies Check as (value: unknown) => value is AttemptRange;
const startRange = fields({ ...rangeChecks, fence: isCount, inputs: isBytes }) as (
  value: unknown,
) => value is StartRange;

// A bundle's hash becomes a path, and so does a job's id.
const bundle: Check = (value) => typeof value === "string" && hashPattern.test(value);
const jobId: Check = (value) => typeof value === "string" && jobIdPattern.test(value);
const functionCode = fields({ kind: (value) => value === "function", bundle });
const commandCode = fields({
  kind: (value) => value === "command",
  argv: (value) => listOf(isString)(value) && Array.isArray(value) && value.length > 0,
  env: labels,
  stdin: (value) => value === "none" || value === "input",
});

const descriptor = fields({
  number: isCount,
  id: jobId,
  task: isString,
  code: (value) => functionCode(value) || commandCode(value),
  needs: fields({ amounts: recordOf(isCount), required: labels, preferred: labels }),
  timeouts: fields({ queuedMs: isCount, runMs: isCount, silenceMs: isCount }),
  killGraceMs: isCount,
  labels,
  attemptsMax: isCount,
  finalErrors: listOf(isString),
}) as (value: unknown) => value is JobDescriptor;

const checks: { readonly [kind in MasterMessage["kind"]]: Check } = {
  welcome: fields({
    protocol: isCount,
    version: isString,
    journalId: isString,
    master: fields({ id: isString, incarnation: isString }),
    masters: listOf(isString),
    suspectAfterMs: isCount,
    lostAfterMs: isCount,
  }),
  masters: fields({ masters: listOf(isString) }),
  lead: fields({ term: isCount }),
  verdict: fields({ term: isCount, kill: listOf(range), recorded: isCount }),
  start: fields({ term: isCount, jobs: listOf(descriptor), ranges: listOf(startRange) }),
  recall: fields({ term: isCount, job: isCount, count: isCount }),
  cancel: fields({ term: isCount, ranges: listOf(range), reason: isCount }),
  recorded: fields({ term: isCount, n: isCount }),
  drain: fields({ term: isCount, on: isBoolean, exit: isBoolean, deadlineMs: isCount }),
  logRequest: fields({
    request: isCount,
    job: jobId,
    task,
    attempt: isCount,
    stream: (value) => value === "stdout" || value === "stderr" || value === "both",
    from: isCount,
    follow: isBoolean,
  }),
  logStop: fields({ request: isCount }),
  refuse: fields({ code: isString, message: isString }),
};

function isMessage(value: unknown): value is MasterMessage {
  const kind = isFields(value) ? value["kind"] : undefined;
  if (typeof kind !== "string") throw new FrameError("a message without a kind");
  if (!Object.hasOwn(checks, kind)) return false;
  const check = checks[kind as MasterMessage["kind"]];
  if (!check(value)) throw new FrameError(`a malformed ${kind}`);
  return true;
}

// Inputs on their way out: checked, serialised, packed into parts of NDJSON.
//
//   I1. An input is serialised once and checked against the schema as it was given; one that holds
//       references is checked in the slot only, where their values are known.
//   I2. A line above `inlineBytesMax` becomes a stored payload, and a reference line takes its place.
//   I3. A part never exceeds `partBytesMax`, whatever the inputs are.

import { createHash } from "node:crypto";
import { SkeinError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { OutputRef, ReferenceLine } from "../protocol/lines.ts";
import { stringifyWithRefs } from "./refs.ts";
import { issuePointer } from "./standard-schema.ts";
import type { SchemaResult, StandardSchemaV1 } from "./standard-schema.ts";

/** One request's worth of inputs. */
export interface Part {
  /** NDJSON. */
  readonly body: Uint8Array;
  readonly tasks: number;
  /** Stored payloads its lines name, by hash. */
  readonly payloads: ReadonlyMap<string, Uint8Array>;
}

const packLines = 256;
const packChars = 16 * 1024;
/** A pack is at most packChars before its last line, three bytes each, and that line. */
const packBytesMax = 3 * packChars + limits.inlineBytesMax + 1;
/** Hashes travel in the part's URL. */
const payloadsPerPartMax = 100;

/** Turns inputs into lines and lines into parts. */
export class PartBuilder {
  readonly #schema: StandardSchemaV1 | undefined;
  /** Jobs whose outputs the inputs name. */
  readonly jobs = new Set<string>();
  /** Inputs taken so far. */
  taken = 0;
  #lines: string[] = [];
  #chars = 0;
  #packs: Uint8Array[] = [];
  #bytes = 0;
  #tasks = 0;
  #payloads = new Map<string, Uint8Array>();

  constructor(schema?: StandardSchemaV1) {
    this.#schema = schema;
  }

  get empty(): boolean {
    return this.#tasks === 0;
  }

  /** Time to take the part. */
  get full(): boolean {
    return (
      this.#bytes > limits.partBytesMax - packBytesMax || this.#payloads.size >= payloadsPerPartMax
    );
  }

  /**
   * Takes one input. A promise comes back only if the schema gives one; `full` is to be asked after each.
   *
   * @throws SkeinError `bad_input` naming the input, `too_large`
   */
  add(input: unknown): void | Promise<void> {
    const index = this.taken++;
    const { json, refs } = stringify(input, index);
    if (this.#schema && refs.length === 0) {
      const result = this.#schema["~standard"].validate(input);
      if (result instanceof Promise) {
        return result.then((late) => {
          checkIssues(late, index);
          this.#addLine(json, refs, index);
        });
      }
      checkIssues(result, index);
    }
    this.#addLine(json, refs, index);
  }

  /** What was added since the last part. */
  take(): Part {
    this.#pack();
    const [only = new Uint8Array()] = this.#packs;
    const body = this.#packs.length <= 1 ? only : Buffer.concat(this.#packs);
    const part = { body, tasks: this.#tasks, payloads: this.#payloads };
    this.#packs = [];
    this.#bytes = 0;
    this.#tasks = 0;
    this.#payloads = new Map();
    return part;
  }

  #addLine(json: string, refs: readonly OutputRef[], index: number): void {
    let line = json;
    if (refs.length > 0) {
      line = referenceLine(json, refs, index);
      for (const { job } of refs) this.jobs.add(job);
    } else if (isLong(json)) line = this.#store(json, index);
    this.#lines.push(line);
    this.#tasks++;
    this.#chars += line.length + 1;
    if (this.#lines.length >= packLines || this.#chars >= packChars) this.#pack();
  }

  #store(json: string, index: number): string {
    const bytes = Buffer.from(json);
    if (bytes.length > limits.payloadBytesMax) {
      throw new SkeinError("too_large", `Input ${index} has ${bytes.length} bytes as JSON.`, {
        hint: `At most ${limits.payloadBytesMax} bytes; split it over several tasks.`,
      });
    }
    const hash = createHash("sha256").update(bytes).digest("hex");
    this.#payloads.set(hash, bytes);
    const reference: ReferenceLine = { stored: { hash, size: bytes.length } };
    return `@${JSON.stringify(reference)}`;
  }

  #pack(): void {
    if (this.#lines.length === 0) return;
    const bytes = Buffer.from(`${this.#lines.join("\n")}\n`);
    this.#packs.push(bytes);
    this.#bytes += bytes.length;
    this.#lines = [];
    this.#chars = 0;
  }
}

function stringify(input: unknown, index: number) {
  let why = silentlyLost(input);
  try {
    if (why !== undefined) throw new TypeError(why);
    const { json, refs } = stringifyWithRefs(input);
    if (json !== undefined) return { json, refs };
    why = `it is ${typeof input === "function" ? "a function" : String(input)}`;
  } catch (error) {
    why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
  }
  throw new SkeinError("bad_input", `Input ${index} cannot be serialised: ${why}.`, {
    hint: "Inputs travel as JSON: send plain objects, arrays, strings, finite numbers, booleans, null.",
  });
}

/** JSON would turn it into something else without a word. Looked at on top only: deeper is the schema's affair. */
function silentlyLost(input: unknown): string | undefined {
  if (typeof input === "number") return Number.isFinite(input) ? undefined : `it is ${input}`;
  return input instanceof Map || input instanceof Set ? "it is a Map or a Set" : undefined;
}

function checkIssues(result: SchemaResult<unknown>, index: number): void {
  if (result.issues === undefined) return;
  const fields = result.issues.map((issue) => ({
    pointer: issuePointer(issue),
    detail: issue.message,
  }));
  const [first] = fields;
  const more = fields.length > 1 ? ` (and ${fields.length - 1} more)` : "";
  const where = first?.pointer ? ` at ${first.pointer}` : "";
  const message = `Input ${index} was refused by the task's schema${where}: ${first?.detail}${more}`;
  throw new SkeinError("bad_input", message, { fields });
}

function referenceLine(json: string, refs: readonly OutputRef[], index: number): string {
  const line = `@{"value":${json},"refs":${JSON.stringify(refs)}}`;
  if (!isLong(line)) return line;
  throw new SkeinError("too_large", `Input ${index} refers to outputs and is too large.`, {
    hint: `An input that holds references has at most ${limits.inlineBytesMax} bytes as JSON.`,
  });
}

/** Counts bytes only where characters cannot decide. */
function isLong(line: string): boolean {
  if (line.length > limits.inlineBytesMax) return true;
  return line.length * 3 > limits.inlineBytesMax && Buffer.byteLength(line) > limits.inlineBytesMax;
}

// The body of a submit: a head (what the job is told) and lines of inputs, kept as the bytes they are (K2).

import { SkeinError } from "../../protocol/errors.ts";
import type { JobSpec } from "../../protocol/model.ts";
import { submitSchema } from "../../protocol/job-spec.ts";
import { json } from "./bind.ts";
import { schemaError } from "./problems.ts";

export interface SubmitHead {
  /** `after` as it was sent: prefixes. */
  readonly spec: JobSpec;
  readonly key: string | undefined;
  readonly open: boolean;
  readonly payloads: readonly string[];
}

export interface SubmitBody {
  readonly head: SubmitHead;
  /** Lines of inputs; the last one may lack its line end. */
  readonly lines: Uint8Array;
}

const newline = 10;
const headSchema = submitSchema.omit({ inputs: true });
const headsMax = 256;
const headCharsMax = 16 * 1024;

/**
 * Heads that were parsed before, by their text: the submits of one task definition all have the same one. They
 * share one JobSpec, which nobody changes.
 */
const heads = new Map<string, SubmitHead>();

export function readSubmit(bytes: Uint8Array, isLines: boolean): SubmitBody {
  if (!isLines) return fromJson(bytes);
  const end = bytes.indexOf(newline);
  const line = end < 0 ? bytes : bytes.subarray(0, end);
  const lines = end < 0 ? new Uint8Array(0) : bytes.subarray(end + 1);
  // One character for each byte: quick, and as good a name for it as any.
  const name = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString("latin1");
  return { head: heads.get(name) ?? remember(name, parseHead(json(line))), lines };
}

/** An array of inputs becomes lines, so that from here on there is one way. */
function fromJson(bytes: Uint8Array): SubmitBody {
  const body = json(bytes);
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new SkeinError("invalid", "The body is a JSON object with a spec.");
  }
  const { inputs = [], ...rest } = body as { inputs?: unknown };
  if (!Array.isArray(inputs)) {
    const fields = [{ pointer: "/inputs", detail: "an array of inputs" }];
    throw new SkeinError("invalid", "The body/inputs: it is no array", { fields });
  }
  const name = JSON.stringify(rest);
  const head = heads.get(name) ?? remember(name, parseHead(rest));
  const text = inputs.map((input) => `${JSON.stringify(input)}\n`).join("");
  return { head, lines: Buffer.from(text) };
}

function parseHead(value: unknown): SubmitHead {
  const parsed = headSchema.safeParse(value);
  if (!parsed.success) throw schemaError("invalid", "The body", parsed.error);
  const { spec, key, open, payloads } = parsed.data;
  return { spec: { ...spec, by: "token", retryOf: null }, key, open, payloads };
}

function remember(name: string, head: SubmitHead): SubmitHead {
  // What is its client's own, or long, is not seen again.
  if (head.key !== undefined || head.payloads.length > 0 || name.length > headCharsMax) return head;
  if (heads.size >= headsMax) {
    const [oldest = ""] = heads.keys();
    heads.delete(oldest);
  }
  heads.set(name, head);
  return head;
}

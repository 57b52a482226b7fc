// What a client says of a job: the schema that fills in defaults and refuses the rest.

import { z } from "zod";
import { hash, jobRef, labels, milliseconds, name } from "./fields.ts";
import { limits } from "./limits.ts";

export const needsSchema = z.strictObject({
  /** Thousandths: {cpu: 1000, memory: 512000 (MiB), gpu: 1000}. */
  amounts: z
    .record(
      name,
      z
        .int()
        .min(0)
        .max(10 ** 12),
    )
    // Without one there would be no end to how many run on a worker at once.
    .refine((all) => Object.values(all).some((amount) => amount > 0), "at least one amount above 0")
    .default({ cpu: 1000 }),
  required: labels.default({}),
  preferred: labels.default({}),
});

export const codeSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("function"), bundle: hash }),
  z.strictObject({
    kind: z.literal("command"),
    argv: z.array(z.string().max(65_536)).min(1).max(4_096),
    env: z.record(z.string(), z.string()).default({}),
    stdin: z.enum(["none", "input"]).default("none"),
  }),
]);

/** What a client says of a job; defaults are filled in. */
export const jobSpecSchema = z.strictObject({
  task: name,
  code: codeSchema,
  queue: name.default("default"),
  priority: z.int().min(-1000).max(1000).default(0),
  needs: needsSchema.default({ amounts: { cpu: 1000 }, required: {}, preferred: {} }),
  timeouts: z
    .strictObject({
      queuedMs: milliseconds.default(0),
      runMs: milliseconds.default(0),
      silenceMs: milliseconds.default(0),
    })
    .default({ queuedMs: 0, runMs: 0, silenceMs: 0 }),
  retry: z
    .strictObject({
      attempts: z.int().min(1).max(1000).default(1),
      backoffMs: milliseconds.default(1_000),
      backoffMaxMs: milliseconds.default(60_000),
      finalErrors: z.array(z.string().max(128)).max(64).default([]),
    })
    .default({ attempts: 1, backoffMs: 1_000, backoffMaxMs: 60_000, finalErrors: [] }),
  onFailure: z.enum(["continue", "stop"]).default("continue"),
  concurrency: z
    .strictObject({ key: name, limit: z.int().min(1).max(1_000_000) })
    .nullable()
    .default(null),
  fenced: z.boolean().default(false),
  delayMs: milliseconds.default(0),
  labels: labels.default({}),
  after: z
    .array(z.strictObject({ job: jobRef, mode: z.enum(["all", "each"]).default("all") }))
    .max(limits.dependenciesMax)
    .default([]),
  encoding: z.literal("json").default("json"),
  ifClientGone: z.enum(["close", "cancel"]).default("close"),
  namespace: name.default("default"),
  parent: z.string().nullable().default(null),
  group: name.nullable().default(null),
});

export type JobSpecInput = z.input<typeof jobSpecSchema>;

/**
 * POST /v1/jobs. As JSON: this object. As application/x-ndjson: its first line is this object without
 * `inputs`, every further line is one input, verbatim.
 */
export const submitSchema = z.strictObject({
  spec: jobSpecSchema,
  /** A user's own key: the same key and body give the same job for 24 hours (K8). */
  key: z.string().min(1).max(255).optional(),
  inputs: z.array(z.unknown()).optional(),
  /** Leave the job open for parts (K1). */
  open: z.boolean().default(false),
  /** Hashes of stored payloads that the inputs name. */
  payloads: z.array(hash).max(100_000).default([]),
});

export type SubmitInput = z.input<typeof submitSchema>;

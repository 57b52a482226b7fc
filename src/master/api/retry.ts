// POST …/retry: a new job of the inputs whose tasks did not succeed (K3). A large one is made in parts, and closed
// at the end; the same key finds it again and goes on where it was, because its parts are always the same.

import { crc32 } from "node:zlib";
import type { PartInput, SubmitRequest } from "../../core/commands/submit.ts";
import type { RequestKey } from "../../core/entry.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { isReferenceLine, splitLines } from "../../protocol/lines.ts";
import type { ReferenceLine } from "../../protocol/lines.ts";
import type { JobSpec } from "../../protocol/model.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import type { JobView } from "../../protocol/views.ts";
import type { Archive } from "../archive/archive.ts";
import { ask } from "../context.ts";
import { jobView } from "../views.ts";
import { resolveAfter } from "./dependencies.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { checkArchived, findJob, seeJob, specOfRow, viewOfRow } from "./lookup.ts";
import { requestKey } from "./request-key.ts";
import { traceSubmit } from "./submit-trace.ts";
import type { TraceHeader } from "./submit-trace.ts";
import { checkRoom, newJobId, securePayloads } from "./submit.ts";

/** Parts that are sent with the submit: well below what a batch holds. */
const partsAtOnce = 4;

interface Source {
  readonly id: string;
  readonly spec: JobSpec;
  readonly ended: boolean;
}

export async function retryJob(context: ApiContext, call: Call<"retryJob">): Promise<JobView> {
  const number = await findJob(context, call.params.job);
  const { request } = call;
  const keyOf: KeyOf = (scope, content) => requestKey({ request, own: undefined, scope, content });
  return retry(context, number, { keyOf, trace: request.headers["traceparent"] });
}

/** The idempotency key of a request within a scope, for a content. */
export type KeyOf = (scope: string, content: Uint8Array) => RequestKey | null;

export interface RetryRequest {
  readonly keyOf: KeyOf;
  /** What is retried now is of this trace, not of that of what failed. */
  readonly trace: TraceHeader;
}

export async function retry(
  context: ApiContext,
  number: number,
  request: RetryRequest,
): Promise<JobView> {
  const { master } = context;
  checkRoom(master);
  await checkArchived(context, number);
  const source = await seeJob<Source>(
    context,
    number,
    ({ id, spec, ended }) => ({ id, spec, ended: ended !== "" }),
    (row) => ({ id: row.id, spec: specOfRow(row), ended: true }),
  );
  if (!source.ended) {
    throw new SkeinError("conflict", `Job ${source.id} has not ended.`, {
      hint: "Wait for its end, or cancel it first.",
    });
  }
  const { code } = source.spec;
  if (code.kind === "function") await securePayloads(master, [code.bundle]);
  const parts = failedParts(master.archive, number);
  const first = await some(parts, partsAtOnce);
  if (first.items.length === 0) {
    throw new SkeinError("conflict", `All tasks of job ${source.id} succeeded.`, {
      hint: "There is nothing to retry; submit it anew to run it again.",
    });
  }
  const decision = await decisionFor(context, request, source, { first, open: !first.done });
  const bytes = first.items.reduce((sum, part) => sum + part.bytes.length, 512);
  const { job } = await ask(master, decision, bytes);
  if (!first.done) await addRest(context, job, parts);
  return seeJob(context, job, jobView, viewOfRow);
}

async function decisionFor(
  context: ApiContext,
  { keyOf, trace }: RetryRequest,
  { id, spec }: Source,
  { first, open }: { readonly first: Some; readonly open: boolean },
): Promise<SubmitRequest> {
  // Tasks are numbered anew, so pairs by number fit no more; and those they were of have ended.
  const whole = spec.after.filter(({ mode }) => mode === "all");
  const { after, archived } = await resolveAfter(context, whole);
  // What is gone is found out by the decision.
  await context.master.copies.secure(first.items.flatMap(({ payloads }) => payloads));
  const scope = `${spec.namespace} retry`;
  const content = Buffer.from(`retry ${id}`);
  const own = newJobId();
  const { spec: traced, span } = traceSubmit(trace, spec, own);
  span?.end();
  return {
    kind: "submit",
    id: own,
    spec: { ...traced, after, by: "token", retryOf: id },
    open,
    key: keyOf(scope, content),
    parts: first.items,
    archived,
    strictQueues: context.master.settings.strictQueues,
  };
}

async function addRest(
  context: ApiContext,
  job: number,
  rest: AsyncGenerator<PartInput>,
): Promise<void> {
  const { master } = context;
  let part = partsAtOnce;
  context.watch.opened(job);
  for await (const input of rest) {
    await master.copies.secure(input.payloads);
    await ask(master, { kind: "part", job, part: part++, input }, input.bytes.length + 256);
    context.watch.touch(job);
  }
  await ask(master, { kind: "close", job, parts: part });
}

interface Some {
  readonly items: PartInput[];
  readonly done: boolean;
}

async function some(parts: AsyncGenerator<PartInput>, most: number): Promise<Some> {
  const items: PartInput[] = [];
  while (items.length < most) {
    const { done, value } = await parts.next();
    if (done) return { items, done: true };
    items.push(value);
  }
  return { items, done: false };
}

// ── inputs of what did not succeed ───────────────────────────────────────────────────────

async function* failedParts(archive: Archive, job: number): AsyncGenerator<PartInput> {
  const tasks = await failedTasks(archive, job);
  let lines: Uint8Array[] = [];
  let bytes = 0;
  for (let i = 0; i < tasks.length;) {
    const first = tasks[i] ?? 0;
    let count = 1;
    while (tasks[i + count] === first + count) count++;
    const found = await archive.inputs(job, first, count);
    if (found.count === 0) throw new Error(`the archive lacks the input of task ${job}/${first}`);
    const offsets = splitLines(found.bytes, found.count);
    for (let n = 0; n < found.count; n++) {
      const line = found.bytes.subarray(offsets[n], offsets[n + 1]);
      if (bytes + line.length > limits.partBytesMax) {
        yield partOf(lines);
        lines = [];
        bytes = 0;
      }
      lines.push(line);
      bytes += line.length;
    }
    i += found.count;
  }
  if (lines.length > 0) yield partOf(lines);
}

/** Numbers of the tasks that failed or were cancelled, ascending. */
async function failedTasks(archive: Archive, job: number): Promise<Uint32Array> {
  const found: number[] = [];
  let after: Position | undefined;
  do {
    const page = await archive.endedTasks(job, {
      states: ["failed", "cancelled"],
      limit: 4_096,
      ...(after && { after }),
    });
    for (const { task } of page.tasks) found.push(task);
    after = page.next;
  } while (after);
  return Uint32Array.from(found).sort();
}

function partOf(lines: readonly Uint8Array[]): PartInput {
  const bytes = new Uint8Array(Buffer.concat(lines));
  const payloads = lines.filter(isReferenceLine).flatMap(storedIn);
  return { bytes, count: lines.length, sum: crc32(bytes), payloads };
}

function storedIn(line: Uint8Array): string[] {
  const reference = JSON.parse(Buffer.from(line.subarray(1)).toString()) as ReferenceLine;
  return "stored" in reference ? [reference.stored.hash] : [];
}

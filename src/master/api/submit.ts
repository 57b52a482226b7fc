// POST /v1/jobs: the way in, and the hot path of every call that waits for its result. What repeats from submit
// to submit is parsed once (submit-body.ts); a wait listens before the answer of its own batch is over, so that
// no outcome can come before it.

import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { SubmitRequest } from "../../core/commands/submit.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { encodeOutcomes } from "../../protocol/outcome-block.ts";
import { encodeRecord } from "../../protocol/outcome-stream.ts";
import type { Position } from "../../protocol/outcome-stream.ts";
import type { JobView } from "../../protocol/views.ts";
import type { Master } from "../context.ts";
import { toError } from "../context.ts";
import { jobView } from "../views.ts";
import { resolveAfter } from "./dependencies.ts";
import { JsonText } from "./handlers.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { awaitEnd } from "./job-end.ts";
import { seeJob, viewOfRow } from "./lookup.ts";
import { toParts } from "./parts.ts";
import { requestKey } from "./request-key.ts";
import { readSubmit } from "./submit-body.ts";
import { traceSubmit } from "./submit-trace.ts";

export async function submit(context: ApiContext, call: Call<"submit">): Promise<JsonText> {
  const { master } = context;
  const { bytes, request, query } = call;
  checkRoom(master);
  context.poisoned.check(bytes);
  const isLines = request.headers["content-type"]?.includes("ndjson") ?? false;
  const { head, lines } = readSubmit(bytes, isLines);
  const { spec } = head;
  const { code } = spec;
  const named = code.kind === "function" ? [code.bundle, ...head.payloads] : head.payloads;
  // Not even a turn is lost where they are known to be safe.
  if (!master.copies.areSecure(named)) await securePayloads(master, named);
  const { after, archived } =
    spec.after.length === 0 ? nothingAfter : await resolveAfter(context, spec.after);
  const scope = spec.namespace;
  const id = newJobId();
  const { spec: traced, span } = traceSubmit(request.headers["traceparent"], spec, id);
  const decision: SubmitRequest = {
    kind: "submit",
    id,
    spec: after.length === 0 ? traced : { ...traced, after },
    open: head.open,
    key: requestKey({ request, own: head.key, scope, content: bytes }),
    parts: toParts(lines, head.payloads),
    archived,
    strictQueues: master.settings.strictQueues,
  };
  const submitted = { decision, bytes: bytes.length + 512, waitMs: query.wait ?? 0 };
  try {
    return await decided(context, submitted, call.reply.raw);
  } catch (error) {
    context.poisoned.note(bytes, error);
    throw error;
  } finally {
    span?.end();
  }
}

const nothingAfter = { after: [], archived: new Map<string, string>() };

/** J7 and P7: what is full says when to come back. Results are taken all the same. */
export function checkRoom({ loop, usage }: Master): void {
  const { share } = usage();
  if (share >= limits.refuseSubmitsAt) {
    const percent = Math.floor(share * 100);
    throw new SkeinError("journal_full", `The journal or its disk is ${percent} % full.`, {
      retryAfter: 10,
    });
  }
  if (loop.inboxBytes < limits.inboxBytesMax) return;
  throw new SkeinError("overloaded", "Too many requests wait for the journal.", { retryAfter: 1 });
}

/** What an entry is to name is on enough masters (A1), or the request is refused. */
export async function securePayloads(
  { payloads, copies }: Master,
  hashes: readonly string[],
): Promise<void> {
  await copies.secure(hashes);
  const missing = hashes.filter((hash) => !payloads.has(hash));
  if (missing.length === 0) return;
  const fields = missing.slice(0, 20).map((hash) => ({ pointer: "", detail: hash }));
  const others = missing.length > 1 ? ` and ${missing.length - 1} more` : "";
  throw new SkeinError("payload_missing", `Payload ${missing[0]}${others} is not stored.`, {
    fields,
  });
}

export function newJobId(): string {
  if (idsLeft === 0) {
    ids = randomBytes(idsAtOnce * 8);
    idsLeft = idsAtOnce;
  }
  idsLeft--;
  return ids.toString("hex", idsLeft * 8, idsLeft * 8 + 8);
}

const idsAtOnce = 256;
let ids = Buffer.alloc(0);
let idsLeft = 0;

interface Submitted {
  readonly decision: SubmitRequest;
  readonly bytes: number;
  readonly waitMs: number;
}

function decided(
  context: ApiContext,
  { decision, bytes, waitMs }: Submitted,
  response: ServerResponse,
): Promise<JsonText> {
  const { loop } = context.master;
  return new Promise((resolve, reject) => {
    // In this callback, and only here, the state is durable and nothing has come after it.
    loop.request(decision, bytes, (answer) => {
      if (!answer.ok) return reject(toError(answer));
      const job = answer.job;
      const view = peekJob(context.master, job);
      if (decision.open) context.watch.opened(job);
      if (!view || waitMs === 0) return resolve(answerLater(context, job, view));
      if (view.ended !== null) return resolve(withOutcome(context, job, view));
      waitForOutcome(context, { job, ms: waitMs, response }, resolve, reject);
    });
  });
}

function peekJob({ loop }: Master, number: number): JobView | undefined {
  return loop.peek((state) => {
    const job = state.jobs.get(number);
    return job && jobView(job);
  });
}

/** The view, from the archive when the key is of a job that was retired since. */
async function answerLater(context: ApiContext, job: number, known?: JobView): Promise<JsonText> {
  const view = known ?? (await seeJob(context, job, jobView, viewOfRow));
  return new JsonText(JSON.stringify(view));
}

function waitForOutcome(
  context: ApiContext,
  wait: { readonly job: number; readonly ms: number; readonly response: ServerResponse },
  resolve: (answer: JsonText | Promise<JsonText>) => void,
  reject: (error: Error) => void,
): void {
  let last: { readonly at: Position; readonly block: Uint8Array } | undefined;
  const onBlock = (at: Position, block: Uint8Array) => {
    last = { at, block };
  };
  awaitEnd(context, { ...wait, onBlock }, (how) => {
    if (how === "gone") return reject(new SkeinError("unreachable", "The client has gone."));
    const view = peekJob(context.master, wait.job);
    const isWhole = view !== undefined && view.ended !== null && view.tasks === 1;
    if (isWhole && last) resolve(joined(view, last.at, last.block));
    else resolve(answerLater(context, wait.job, view));
  });
}

/** A job that had ended before: its key was used again, or it had nothing to do. */
async function withOutcome(context: ApiContext, job: number, view: JobView): Promise<JsonText> {
  const { outcome } =
    view.tasks === 1 ? await context.master.archive.task(job, 0) : { outcome: undefined };
  if (!outcome) return new JsonText(JSON.stringify(view));
  return joined(view, outcome, encodeOutcomes([outcome]));
}

/** The view and, for a job of one task, its outcome as a stream of one record. */
function joined(view: JobView, at: Position, block: Uint8Array): JsonText {
  const record = encodeRecord({ kind: "block", at, block });
  const outcome = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  return new JsonText(
    `${JSON.stringify(view).slice(0, -1)},"outcome":"${outcome.toString("base64")}"}`,
  );
}

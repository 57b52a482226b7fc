// Jobs: parts and close of an open one, one, cancel.

import { SkeinError } from "../../protocol/errors.ts";
import { hashPattern } from "../../protocol/ids.ts";
import type { JobView } from "../../protocol/views.ts";
import { ask } from "../context.ts";
import { jobView } from "../views.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { awaitEnd } from "./job-end.ts";
import { findJob, seeJob, viewOfRow } from "./lookup.ts";
import { toPart } from "./parts.ts";
import { checkRoom, securePayloads } from "./submit.ts";

export async function part(context: ApiContext, call: Call<"part">): Promise<Answer<"part">> {
  const { master } = context;
  const { params, query, bytes } = call;
  checkRoom(master);
  context.poisoned.check(bytes);
  const payloads = query.payloads ? query.payloads.split(",") : [];
  if (!payloads.every((hash) => hashPattern.test(hash))) {
    throw new SkeinError("bad_request", "payloads: hashes of 64 hex digits, with commas between");
  }
  await securePayloads(master, payloads);
  const input = toPart(bytes, payloads);
  const job = await findJob(context, params.job);
  try {
    const request = { kind: "part", job, part: params.part, input } as const;
    const { tasks } = await ask(master, request, bytes.length + 256);
    return { tasks };
  } catch (error) {
    context.poisoned.note(bytes, error);
    throw error;
  }
}

export async function close(context: ApiContext, call: Call<"close">): Promise<JobView> {
  const job = await findJob(context, call.params.job);
  const retired = await leftTheState(context, job);
  if (retired) return retired;
  const parts = call.body.parts ?? null;
  await ask(context.master, { kind: "close", job, parts });
  return seeJob(context, job, jobView, viewOfRow);
}

export async function cancelJob(context: ApiContext, call: Call<"cancelJob">): Promise<JobView> {
  const { master } = context;
  const job = await findJob(context, call.params.job);
  const retired = await leftTheState(context, job);
  if (retired) return retired;
  master.log.info("a job is cancelled", { job, reason: call.body.reason });
  await ask(master, { kind: "cancelJob", job, reason: "cancelled" });
  return seeJob(context, job, jobView, viewOfRow);
}

/** The view of a job that has ended so long ago that nothing can change it. */
function leftTheState(context: ApiContext, job: number): Promise<JobView | undefined> {
  return seeJob<JobView | undefined>(context, job, () => undefined, viewOfRow);
}

export async function job(context: ApiContext, call: Call<"job">): Promise<JobView> {
  const number = await findJob(context, call.params.job);
  const ms = call.query.wait ?? 0;
  const see = () => seeJob(context, number, jobView, viewOfRow);
  if (ms === 0) return see();
  // First listen, then look: an end in between is heard.
  let stop = () => {};
  const over = new Promise<void>((resolve) => {
    const wait = { job: number, ms, response: call.reply.raw };
    stop = awaitEnd(context, wait, () => resolve());
  });
  const release = context.watch.hold(number);
  try {
    const view = await see();
    if (view.ended !== null) return view;
    await over;
    return await see();
  } finally {
    stop();
    release();
  }
}

import { afterEach, beforeEach, expect, test } from "vitest";
import { createState } from "../../core/state.ts";
import { decodeWhole, encodeSnapshot } from "../snapshot-state.ts";
import { describeJob } from "../orders.ts";
import { createDigestCheck, foldBatch } from "../replay.ts";
import { ApiWorld, commandSpec } from "./api-world.fixture.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const other = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.open();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function submitted(headers: Record<string, string>): Promise<string> {
  const body = { spec: commandSpec, inputs: [1] };
  return (await world.post("/v1/jobs", body, { headers })).json["id"] as string;
}

/** What workers are told of it. */
function told(job: string) {
  return world.master.loop.peek((state) => {
    const found = state.jobs.get(state.jobNumbers.get(job) ?? 0);
    return found && describeJob(found);
  });
}

test("the context of a submit goes with its job to workers", async () => {
  expect(told(await submitted({ traceparent }))?.traceparent).toBe(traceparent);
});

test("a submit without one, or with what is none, has none", async () => {
  for (const headers of [{}, { traceparent: "00-zz-yy-01" }]) {
    expect(Object.keys(told(await submitted(headers)) ?? {})).not.toContain("traceparent");
  }
});

test("submits of the same head each keep their own", async () => {
  const first = await submitted({ traceparent });
  const second = await submitted({ traceparent: other });
  const third = await submitted({});
  expect([first, second, third].map((job) => told(job)?.traceparent)).toEqual([
    traceparent,
    other,
    undefined,
  ]);
});

test("the same key in another trace is the same job", async () => {
  const key = { "idempotency-key": "client-1" };
  const first = await submitted({ traceparent, ...key });
  expect(await submitted({ traceparent: other, ...key })).toBe(first);
  expect(told(first)?.traceparent).toBe(traceparent);
});

test("a retry is of the trace of its own request", async () => {
  const worker = await world.register();
  const job = await submitted({ traceparent });
  await world.work(worker, job, () => ({ code: 1, text: "{}" }));
  const retry = (headers: Record<string, string>) =>
    world.post(`/v1/jobs/${job}/retry`, {}, { headers });
  expect(told((await retry({})).json["id"] as string)?.traceparent).toBe(undefined);
  const traced = await retry({ traceparent: other });
  expect(told(traced.json["id"] as string)?.traceparent).toBe(other);
});

test("journal and snapshot keep it", async () => {
  const job = await submitted({ traceparent });
  const { journal } = world;
  const state = createState(journal.journalId);
  const check = createDigestCheck(() => {
    throw new Error("the digest differs");
  });
  for (const batch of await journal.readAfter(0)) foldBatch(state, batch, check);
  const copied = decodeWhole(encodeSnapshot(state));
  for (const one of [state, copied]) {
    expect(one.jobs.get(one.jobNumbers.get(job) ?? 0)?.spec.traceparent).toBe(traceparent);
  }
});

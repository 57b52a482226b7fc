import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endReasons } from "../../protocol/model.ts";
import { ApiWorld, commandSpec, settled } from "../api/api-world.fixture.ts";
import { BoundedNames } from "./bounded-names.ts";
import { Tally } from "./tally.ts";

describe("a master's metrics", () => {
  let world: ApiWorld;
  beforeEach(async () => {
    world = await ApiWorld.open();
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  /** The value of a series as it stands in the text. */
  async function read(series: string): Promise<number | undefined> {
    const { text } = await world.get("/metrics");
    const line = text.split("\n").find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  test("need the token and are Prometheus text", async () => {
    const answer = await world.get("/metrics");
    expect(answer.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(answer.text).toContain('skein_build_info{version="0.0.0"');
    expect((await world.get("/metrics", { headers: { authorization: "" } })).status).toBe(401);
  });

  test("count each task once, by queue and outcome", async () => {
    const worker = await world.register();
    const job = await world.submit([1, 2, 3, 4], {}, { queue: "film" });
    await world.work(worker, job, (task) =>
      task === 0 ? { code: endReasons.error.code, text: "{}" } : {},
    );
    expect(await read('skein_tasks_total{queue="film",outcome="succeeded"}')).toBe(3);
    expect(await read('skein_tasks_total{queue="film",outcome="failed"}')).toBe(1);
    expect(await read('skein_task_queue_wait_seconds_count{queue="film"}')).toBe(4);
    expect(await read("skein_task_run_seconds_count")).toBe(4);
    expect(await read("skein_task_run_seconds_sum")).toBeCloseTo(4 * 0.0015, 6);
    expect(await read("skein_dispatch_latency_seconds_count")).toBe(4);
  });

  test("count attempts that were not the outcome by their reason", async () => {
    const worker = await world.register();
    const retry = { attempts: 2, backoffMs: 0, backoffMaxMs: 0 };
    const job = await world.submit([1], {}, { retry });
    const failure = { code: endReasons.crashed.code, value: Buffer.from("{}") };
    await world.report(worker, job, [{ task: 0, attempt: 1, ...failure }]);
    expect(await read('skein_task_retries_total{reason="crashed"}')).toBe(1);
    expect(await read('skein_tasks_total{queue="default",outcome="failed"}')).toBe(undefined);
  });

  test("show where tasks are, and how long a queue's oldest has waited", async () => {
    await world.submit([1, 2], {}, { queue: "slow" });
    await world.submit([3], {}, { delayMs: 3_600_000 });
    expect(await read('skein_tasks{state="ready"}')).toBe(2);
    expect(await read('skein_tasks{state="waiting"}')).toBe(1);
    const waited = await read('skein_oldest_pending_seconds{queue="slow"}');
    expect(await read('skein_oldest_pending_seconds{queue="slow"}')).toBeGreaterThan(waited ?? 0);
    expect(await read('skein_oldest_pending_seconds{queue="default"}')).toBe(0);
    const worker = await world.register("w1", { cpu: 2_000 });
    expect(await read('skein_tasks{state="assigned"}')).toBe(2);
    expect(await read('skein_slots{state="used"}')).toBe(2);
    expect(await read('skein_workers{state="active"}')).toBe(1);
    expect(worker).toBe(1);
  });

  test("time the journal and count its batches", async () => {
    const before = (await read("skein_journal_append_seconds_count")) ?? 0;
    await world.submit([1]);
    expect(await read("skein_journal_append_seconds_count")).toBe(before + 1);
    expect(await read("skein_leads")).toBe(1);
    expect(await read("skein_term")).toBe(1);
    expect(await read('skein_masters{state="live"}')).toBe(1);
  });

  test("count requests by their route, and who was turned away", async () => {
    await world.submit([1]);
    await world.get("/v1/jobs/0123456789abcdef");
    await world.get("/nothing/like/it");
    await world.get("/v1/status", { headers: { authorization: "Bearer x" } });
    const requests = "skein_http_request_duration_seconds_count";
    expect(await read(`${requests}{route="/v1/jobs",method="POST",code="201"}`)).toBe(1);
    expect(await read(`${requests}{route="/v1/jobs/:job",method="GET",code="404"}`)).toBe(1);
    expect(await read(`${requests}{route="none",method="GET",code="404"}`)).toBe(1);
    expect(await read('skein_auth_failures_total{reason="unauthorized"}')).toBe(1);
  });

  test("answer while the journal does not", async () => {
    let asked = false;
    world.journal.append = () => {
      asked = true;
      return new Promise(() => {});
    };
    void world.post("/v1/jobs", { spec: commandSpec, inputs: [1] }).catch(() => {});
    while (!asked) await settled();
    expect((await world.get("/metrics")).status).toBe(200);
  });
});

test("a tally counts a value for many, in the bucket whose bound it does not pass", () => {
  const tally = new Tally([1, 2], ["of"]);
  tally.at("a").observe(1, 3);
  tally.at("a").observe(1.5);
  tally.at("a").observe(9);
  const values = tally
    .values("t")
    .map(({ metricName, labels, value }) => [metricName, labels["le"], value]);
  expect(values).toEqual([
    ["t_bucket", "1", 3],
    ["t_bucket", "2", 4],
    ["t_bucket", "+Inf", 5],
    ["t_sum", undefined, 13.5],
    ["t_count", undefined, 5],
  ]);
});

test("names beyond the first are one", () => {
  const names = new BoundedNames(2);
  expect(["a", "b", "c", "a", "c"].map((name) => names.of(name))).toEqual([
    "a",
    "b",
    "other",
    "a",
    "other",
  ]);
});

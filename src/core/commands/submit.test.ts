import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { Cluster, lines } from "../cluster.fixture.ts";

const key = (n: number, fingerprint = "f") =>
  ({ kind: "client", client: "c", n, fingerprint }) as const;
const userKey = (fingerprint: string) => ({ kind: "user", key: "k", fingerprint }) as const;

describe("a submit", () => {
  it("makes a job whose tasks are ready when nothing holds them back", () => {
    const cluster = new Cluster();
    expect(cluster.letters(cluster.submit({ tasks: 3 }))).toBe("rrr");
  });

  it("of no tasks ends at once", () => {
    expect(new Cluster().submit({ tasks: 0 }).ended).toBe("succeeded");
  });

  it("makes its queue with default limits", () => {
    const cluster = new Cluster();
    cluster.submit({ spec: { queue: "films" } });
    expect(cluster.state.queues.get("films")?.settings.weight).toBe(1_000);
  });

  it("to a queue that takes no more is refused with a time to come back", () => {
    const cluster = new Cluster();
    cluster.setQueue({ queuedMax: 2 });
    cluster.submit({ tasks: 2 });
    const answer = cluster.trySubmit();
    expect(answer).toMatchObject({ ok: false, code: "queue_full", retryAfter: 5 });
  });

  it("that waits for an unknown job is refused", () => {
    const spec = { after: [{ job: "f".repeat(16), mode: "all" }] } as const;
    expect(new Cluster().trySubmit({ spec })).toMatchObject({ code: "unknown_dependency" });
  });
});

describe("an idempotency key", () => {
  it("stands for one job, however often it is sent", () => {
    const cluster = new Cluster();
    const job = cluster.submit({ key: key(1) });
    expect(cluster.trySubmit({ key: key(1) })).toEqual({ ok: true, job: job.number, isNew: false });
    expect(cluster.state.jobs.size).toBe(1);
  });

  it("with another body is refused", () => {
    const cluster = new Cluster();
    cluster.submit({ key: userKey("one") });
    expect(cluster.trySubmit({ key: userKey("two") })).toMatchObject({ code: "key_reused" });
  });

  it("of a user may be used again after a day", () => {
    const cluster = new Cluster();
    cluster.submit({ key: userKey("one") });
    cluster.wait(limits.userKeyMs + 1);
    expect(cluster.trySubmit({ key: userKey("two") })).toMatchObject({ isNew: true });
  });

  it("of a client is remembered within its window only", () => {
    const cluster = new Cluster();
    cluster.submit({ key: key(1) });
    cluster.submit({ key: key(1 + limits.clientWindow) });
    expect(cluster.trySubmit({ key: key(1) })).toMatchObject({ code: "key_expired" });
  });

  it("dies with its client's silence of an hour", () => {
    const cluster = new Cluster();
    cluster.submit({ key: key(1) });
    cluster.wait(limits.clientForgottenMs + 1);
    expect(cluster.state.clients.size).toBe(0);
  });
});

describe("a part of an open job", () => {
  const part = (job: number, number: number, input = lines(2)) =>
    ({ kind: "part", job, part: number, input }) as const;

  it("adds tasks, and adds none when it is sent again", () => {
    const cluster = new Cluster();
    const job = cluster.submit({ open: true });
    expect(cluster.ask(part(job.number, 0))).toEqual({ ok: true, tasks: 2 });
    expect(cluster.ask(part(job.number, 0))).toEqual({ ok: true, tasks: 2 });
    expect(cluster.letters(job)).toBe("rr");
  });

  it("with other bytes, out of turn or after the close is refused", () => {
    const cluster = new Cluster();
    const { number } = cluster.submit({ open: true });
    cluster.ask(part(number, 0));
    expect(cluster.ask(part(number, 0, lines(3)))).toMatchObject({ code: "part_differs" });
    expect(cluster.ask(part(number, 2))).toMatchObject({ code: "part_gap" });
    cluster.ask({ kind: "close", job: number, parts: 1 });
    expect(cluster.ask(part(number, 1))).toMatchObject({ code: "job_closed" });
  });

  it("that is missing keeps the job from being closed", () => {
    const cluster = new Cluster();
    const { number } = cluster.submit({ open: true });
    const answer = cluster.ask({ kind: "close", job: number, parts: 1 });
    expect(answer).toMatchObject({ code: "part_gap" });
  });

  it("may be worked on before the close; the job ends with it", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w", { cpu: 2_000 });
    const job = cluster.submit({ open: true });
    cluster.ask(part(job.number, 0));
    cluster.report(worker, job, [{ task: 0 }, { task: 1 }]);
    expect([cluster.letters(job), job.ended]).toEqual(["SS", ""]);
    cluster.ask({ kind: "close", job: job.number, parts: null });
    expect(job.ended).toBe("succeeded");
  });
});

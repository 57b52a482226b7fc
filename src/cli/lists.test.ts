// What the command line makes of lists, and of one change to many things.

import { expect, test } from "vitest";
import { fakeCluster, fakeJob, fakeWorker, page, problem, run } from "./fakes.fixture.ts";

test("options and --filter become one filter, whose terms all hold", async () => {
  await using cluster = await fakeCluster({
    "GET /v1/jobs": () => page([]),
    "GET /v1/workers": () => page([fakeWorker()]),
    "GET /v1/queues": () => page([]),
  });
  const asked = async (args: string) => {
    const ran = await cluster.run(args);
    expect(ran).toMatchObject({ code: 0 });
    const { query = new URLSearchParams() } = cluster.requests.at(-1) ?? {};
    return [query.get("filter"), query.get("sort")];
  };
  const jobs = "job list --state failed,cancelled --queue film --label a=b --label c=d --oldest";
  expect(await asked(`${jobs} --filter created>2h`)).toEqual([
    "state:failed,cancelled queue:film label.a=b label.c=d created>2h",
    "created",
  ]);
  expect(await asked("job list")).toEqual([null, null]);
  expect(await asked("worker list --state lost --label rack=a --pool x")).toEqual([
    "state:lost pool:x label.rack=a",
    null,
  ]);
  expect(await asked("queue list --state paused")).toEqual(["state:paused", null]);
});

test("what the master says of a filter is told, with exit 2", async () => {
  await using cluster = await fakeCluster({
    "GET /v1/jobs": () => problem("bad_request", 'filter: there is no field "stat" here.'),
  });
  const { code, stderr } = await cluster.run("job list --filter stat:failed");
  expect(code).toBe(2);
  expect(stderr).toContain('there is no field "stat" here');
});

const [a, b] = [fakeJob().id, "00000000000000bb"];
const bulk = (body: string, more: object = {}) => {
  const { dryRun } = JSON.parse(body) as { dryRun: boolean };
  const items = [a, b].map((id) => ({ id, ok: true }));
  return { matched: 2, done: dryRun ? 0 : 2, dryRun, items, ...(!dryRun && more) };
};

test("a bulk cancel looks first, and then changes what it has counted", async () => {
  await using cluster = await fakeCluster({
    "POST /v1/jobs:cancel": ({ body }) => bulk(body),
  });
  expect(await cluster.run("job cancel --filter label.team=film --dry-run")).toEqual({
    code: 0,
    stdout: `${a}\n${b}\n`,
    stderr: "Would cancel 2 jobs.\n",
  });
  expect(cluster.requests.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
    { filter: "label.team=film", dryRun: true },
  ]);
  const ran = await cluster.run("job cancel --filter label.team=film --expect 2 --reason no");
  expect(ran).toEqual({ code: 0, stdout: "", stderr: "✔ 2 jobs cancelled.\n" });
  expect(cluster.requests.slice(1).map(({ body }) => JSON.parse(body) as unknown)).toEqual([
    { filter: "label.team=film", expectedCount: 2, dryRun: true, reason: "no" },
    { filter: "label.team=film", expectedCount: 2, dryRun: false, reason: "no" },
  ]);
});

test("a bulk retry names what it made, and what it could not do", async () => {
  const items = [
    { id: a, ok: true, job: "00000000000000cc" },
    { id: b, ok: false, code: "archive_gone", message: "It is gone." },
  ];
  await using cluster = await fakeCluster({
    "POST /v1/jobs:retry": ({ body }) => bulk(body, { done: 1, items }),
  });
  expect(await cluster.run("job retry --filter state:failed")).toMatchObject({
    stdout: "00000000000000cc\n",
    stderr: "✖ 00000000: It is gone.\n✔ 1 job retried.\n",
  });
});

test("ids or a filter, not both and not none", async () => {
  expect(await run("job cancel")).toMatchObject({ code: 2 });
  expect((await run(`job retry ${a} --filter state:failed`)).stderr).toContain(
    "do not go together",
  );
  expect((await run(`job retry ${a} --expect 3`)).stderr).toContain("--expect is for --filter");
});

test("a worker is cordoned, given work again, and removed", async () => {
  await using cluster = await fakeCluster({
    "POST /v1/workers/w1/cordon": () => fakeWorker(),
    "GET /v1/workers/w1": () => fakeWorker(),
    "DELETE /v1/workers/w1": () => ({ id: "w1", done: true }),
  });
  const said = async (args: string) => (await cluster.run(args)).stderr;
  expect(await said("worker cordon w1 --reason upgrade")).toBe("✔ Worker w1 takes nothing new.\n");
  expect(JSON.parse(cluster.requests[0]?.body ?? "")).toEqual({ reason: "upgrade" });
  expect(await said("worker uncordon w1")).toBe("✔ Worker w1 takes work again.\n");
  expect(JSON.parse(cluster.requests[1]?.body ?? "")).toEqual({ undo: true });
  expect(await said("worker remove w1")).toBe("✔ Worker w1 is forgotten.\n");
  expect(await said("worker remove w1 -n")).toContain("Would forget it: worker w1 is active");
  expect(JSON.parse((await cluster.run("worker remove w1 --json")).stdout)).toMatchObject({
    dryRun: false,
    items: [{ id: "w1", done: true }],
  });
});

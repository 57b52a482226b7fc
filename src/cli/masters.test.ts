import { describe, expect, test } from "vitest";
import type { MastersView, StatusView } from "../protocol/views.ts";
import { counts, fakeCluster, problem } from "./fakes.fixture.ts";

type Master = MastersView["items"][number];

const leader: Master = {
  id: "m1",
  state: "leading",
  incarnation: "0123456789abcdef",
  address: "http://127.0.0.1:7420",
  version: "0.1.0",
  term: 3,
  applied: 4_711,
  lag: 0,
  watermark: 4_700,
  snapshot: 4_000,
  clockMs: 0,
  since: "2026-11-20T11:58:00.000Z",
};
const standby: Master = {
  ...leader,
  id: "m2",
  state: "standing by",
  address: "http://127.0.0.1:41233",
  term: null,
  applied: 4_709,
  lag: 2,
  clockMs: -1_432.2,
  since: null,
};
const away: Master = {
  ...standby,
  id: "m3",
  state: "away",
  address: "http://127.0.0.1:41234",
  version: null,
  applied: null,
  lag: null,
  snapshot: null,
  clockMs: null,
};
const survives = "Can lose 1 of 2 masters, and no machine: all masters share one disk.";
const view: MastersView = { items: [leader, standby, away], term: 3, survives };

const status: StatusView = {
  verdict: "Healthy: 2 workers, 3 tasks running.",
  journal: { id: "a", engine: "sqlite", index: 4_711, trimmed: 0, bytes: 1_234_567 },
  master: {
    id: "m1",
    incarnation: "0123456789abcdef",
    version: "0.1.0",
    node: "v20.20.2",
    pid: 4711,
    leads: true,
    term: 3,
    address: "http://127.0.0.1:7420",
    since: "2026-11-20T11:00:00.000Z",
  },
  leader: { id: "m1", term: 3, address: leader.address, since: "2026-11-20T11:58:00.000Z" },
  masters: { standingBy: ["m2", "m4"], away: ["m3"], unknown: [] },
  survives,
  workers: { active: 2, suspect: 0, draining: 0, lost: 0 },
  slots: { cpu: 8, used: 3 },
  jobs: { unfinished: 1, finished: 12 },
  tasks: counts({ assigned: 3, succeeded: 1_200 }),
  stateBytes: 2_345_678,
  snapshot: { index: 4_000 },
  archive: { watermark: 4_700 },
};

describe("masters", () => {
  test("as a table, and as JSON", async () => {
    await using cluster = await fakeCluster({ "GET /v1/masters": () => view });
    expect(await cluster.run("master list")).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "Can lose 1 of 2 masters, and no machine: all masters share one disk.
      ",
        "stdout": "MASTER  STATE        ADDRESS                 TERM  ELECTED    APPLIED  BEHIND  SNAPSHOT     CLOCK  VERSION
      m1      leading      http://127.0.0.1:7420      3  2m 0s ago    4,711       0     4,000      0 ms  0.1.0
      m2      standing by  http://127.0.0.1:41233                     4,709       2     4,000  -1432 ms  0.1.0
      m3      away         http://127.0.0.1:41234
      ",
      }
    `);
    const { stdout } = await cluster.run("master list --json");
    expect(JSON.parse(stdout)).toMatchObject({ apiVersion: "skein/v1", term: 3 });
    expect(cluster.requests[0]?.query.get("strong")).toBe("true");
  });

  test("are asked of anybody while nobody leads", async () => {
    const items = [{ ...leader, state: "unknown" }, standby];
    await using cluster = await fakeCluster({
      "GET /v1/masters": ({ query }) =>
        query.has("strong") ? problem("not_leading", "It stands by.") : { ...view, items },
    });
    expect(await cluster.run("master list")).toMatchObject({ code: 0 });
  }, 20_000);

  test("step down, with the term that they were asked in", async () => {
    let elected = false;
    await using cluster = await fakeCluster({
      "GET /v1/masters": () => {
        const next = { ...standby, state: "leading" as const, term: 4 };
        return elected
          ? { ...view, items: [next, { ...leader, state: "standing by" }], term: 4 }
          : view;
      },
      "POST /v1/masters/step-down": ({ body }) => {
        elected = true;
        return { id: "m1", ...(JSON.parse(body) as object), done: true };
      },
    });
    expect(await cluster.run("master step-down --dry-run")).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "m1 would give the lead to m2.
      ",
        "stdout": "",
      }
    `);
    const { code, stdout, stderr } = await cluster.run("master step-down --to m2 --wait");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr.replace(/after .*\./, "after 5 ms.")).toMatchInlineSnapshot(`
      "✔ m1 gives the lead to m2.
      ✔ m2 leads in term 4, after 5 ms.
      "
    `);
    const sent = cluster.requests.find(({ route }) => route.startsWith("POST"));
    expect(sent?.body).toBe('{"term":3,"to":"m2"}');
  });

  test("that cannot step down say why: exit 5", async () => {
    await using cluster = await fakeCluster({
      "GET /v1/masters": () => view,
      "POST /v1/masters/step-down": () =>
        problem("conflict", "m9 is no master that stands by now."),
    });
    expect(await cluster.run("master step-down --to m9")).toMatchInlineSnapshot(`
      {
        "code": 5,
        "stderr": "error: m9 is no master that stands by now.
        fix  Look at the current state first.
      ",
        "stdout": "",
      }
    `);
  });
});

describe("the status of a cluster", () => {
  test("names the leader, the others, and what can be lost", async () => {
    await using cluster = await fakeCluster({ "GET /v1/status": () => status });
    expect(await cluster.run("status")).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "",
        "stdout": "Healthy: 2 workers, 3 tasks running.

      workers   2 active
      cpu       3 of 8 in use
      jobs      1 unfinished, 12 finished
      tasks     3 assigned, 1,200 succeeded
      leader    m1 at http://127.0.0.1:7420, in term 3 since 2m 0s ago
      masters   m2, m4 stand by; m3 away
      version   0.1.0 (node v20.20.2, pid 4711)
      journal   sqlite, 4,711 batches, 1.2 MiB, snapshot at 4,000
      memory    2.2 MiB of state
      survives  Can lose 1 of 2 masters, and no machine: all masters share one disk.

      workers: skein worker list   jobs: skein job list
      ",
      }
    `);
  });

  test("with one master says nothing of others; of a standby, that it is one", async () => {
    const none = { standingBy: [], away: [], unknown: [] };
    const alone = { ...status, masters: none };
    await using cluster = await fakeCluster({ "GET /v1/status": () => alone });
    expect((await cluster.run("status")).stdout).not.toMatch(/^masters/m);
    const behind = {
      ...status,
      leader: null,
      master: { ...status.master, id: "m2", leads: false },
      masters: { ...none, unknown: ["m1"] },
    };
    await using other = await fakeCluster({ "GET /v1/status": () => behind });
    const { stdout } = await other.run("status");
    expect(stdout).toMatch(/^leader +nobody leads$/m);
    expect(stdout).toMatch(
      /^masters +this is m2, which stands by in term 3; of m1 it knows nothing$/m,
    );
  });
});

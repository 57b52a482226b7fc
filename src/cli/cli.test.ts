import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  counts,
  fakeCluster,
  fakeJob,
  fakeTask,
  fakeWorker,
  page,
  problem,
  run,
} from "./fakes.fixture.ts";

describe("a command line that is not understood", () => {
  test("gets a suggestion and exit 2", async () => {
    const { code, stdout, stderr } = await run("jbo list");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatchInlineSnapshot(`
      "error: unknown command 'jbo'
        fix  Did you mean job?
      "
    `);
  });

  test("names a value that is wrong", async () => {
    expect(await run("job list --limit many")).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "error: option '--limit <n>' argument 'many' is invalid. It must be a whole number from 1 on.
        fix  See --help.
      ",
        "stdout": "",
      }
    `);
    expect(await run("job list --state happy")).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "error: option '--state <state>' argument 'happy' is invalid. It is one of open, waiting, running, succeeded, failed, cancelled.
        fix  See --help.
      ",
        "stdout": "",
      }
    `);
    expect(await run("job get what")).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "error: "what" is no id of a job or task.
        fix  An id has 4 to 16 digits 0-9 a-f, and for a task /NUMBER behind it: 4f2a91c0 or 4f2a91c0/17.
      ",
        "stdout": "",
      }
    `);
  });

  test("of a group without a command gets the group's help on stderr", async () => {
    const { code, stdout, stderr } = await run("queue");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: skein queue");
  });
});

describe("help", () => {
  test("fits 80 columns and shows examples first", async () => {
    const { code, stdout } = await run("--help", { columns: 80 });
    expect(code).toBe(0);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout.indexOf("Examples:")).toBeLessThan(stdout.indexOf("Options:"));
  });

  test("knows topics, commands and subcommands", async () => {
    expect((await run("help exit-codes")).stdout).toContain("no master answers");
    expect((await run("help job get")).stdout).toContain("Usage: skein job get");
    expect(await run("help nonsense")).toMatchObject({ code: 2 });
  });

  test("comes for every command", async () => {
    const { stdout } = await run("--help");
    const names = [...stdout.matchAll(/^ {2}([a-z]+) {2,}/gm)].map((match) => match[1]);
    expect(names).toContain("status");
    for (const name of names.filter((one) => one !== "skein")) {
      expect(await run(`${name} --help`)).toMatchObject({ code: 0, stderr: "" });
    }
  });
});

describe("job list", () => {
  const jobs = [
    fakeJob(),
    fakeJob({
      id: "77aa00112233ffee",
      state: "running",
      task: "a-task-with-a-rather-long-name-that-must-be-cut",
      queue: "film",
      tasks: 48,
      counts: counts({ ready: 30, assigned: 2, succeeded: 13, failed: 3 }),
      ended: null,
    }),
  ];

  test("is a table in a pipe, without colours", async () => {
    await using cluster = await fakeCluster({ "GET /v1/jobs": () => page(jobs) });
    expect(await cluster.run("job list")).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "",
        "stdout": "JOB       STATE      TASK                                             QUEUE           DONE  FAILED   TOOK     CREATED
      4f2a91c0  succeeded  square                                           default  1,000/1,000          2.5 s  2m 10s ago
      77aa0011  running    a-task-with-a-rather-long-name-that-must-be-cut  film           16/48       3  2m 9s  2m 10s ago
      ",
      }
    `);
  });

  test("fits a terminal of 80 columns", async () => {
    await using cluster = await fakeCluster({ "GET /v1/jobs": () => page(jobs) });
    const { stdout } = await cluster.run("job list --no-color", { columns: 80 });
    expect(stdout).toMatchInlineSnapshot(`
      "JOB       STATE      TASK        QUEUE           DONE  FAILED   TOOK     CREATED
      4f2a91c0  succeeded  square      default  1,000/1,000          2.5 s  2m 10s ago
      77aa0011  running    a-task-wi…  film           16/48       3  2m 9s  2m 10s ago
      "
    `);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("has colours on a terminal, unless NO_COLOR, TERM=dumb or a flag says no", async () => {
    await using cluster = await fakeCluster({ "GET /v1/jobs": () => page(jobs) });
    const escape = "\u001b[";
    const shown = async (args: string, env: Record<string, string>, columns?: number) => {
      const { stdout } = await cluster.run(
        args,
        columns === undefined ? { env } : { env, columns },
      );
      return stdout.includes(escape);
    };
    expect(await shown("job list", {}, 100)).toBe(true);
    expect(await shown("job list", { NO_COLOR: "1" }, 100)).toBe(false);
    expect(await shown("job list", { NO_COLOR: "" }, 100)).toBe(true);
    expect(await shown("job list", { SKEIN_NO_COLOR: "1" }, 100)).toBe(false);
    expect(await shown("job list", { TERM: "dumb" }, 100)).toBe(false);
    expect(await shown("job list --no-color", { FORCE_COLOR: "1" }, 100)).toBe(false);
    expect(await shown("job list", { FORCE_COLOR: "1" })).toBe(true);
    expect(await shown("job list", {})).toBe(false);
  });

  test("is one document with --json", async () => {
    await using cluster = await fakeCluster({ "GET /v1/jobs": () => page(jobs, 99) });
    const { stdout } = await cluster.run("job list --json --limit 2 --state running");
    expect(JSON.parse(stdout)).toEqual({
      apiVersion: "skein/v1",
      items: jobs,
      total: 99,
      nextCursor: null,
    });
    const { query, token } = cluster.requests[0] ?? {};
    expect(Object.fromEntries(query ?? [])).toEqual({ limit: "2", filter: "state:running" });
    expect(token).toBe("Bearer secret");
  });

  test("says that it shows a part", async () => {
    await using cluster = await fakeCluster({ "GET /v1/jobs": () => page(jobs, 12_345) });
    const { stderr } = await cluster.run("job list --limit 2");
    expect(stderr).toBe("2 of 12,345 jobs are shown; --limit 20 shows more.\n");
  });

  test("of nothing says what to do", async () => {
    await using cluster = await fakeCluster({ "GET /v1/jobs": () => page([]) });
    expect(await cluster.run("job list")).toEqual({
      code: 0,
      stdout: "",
      stderr: "No jobs yet. Try: skein run -- echo hi\n",
    });
  });
});

describe("one job", () => {
  const failed = fakeJob({
    state: "failed",
    counts: counts({ succeeded: 997, failed: 3 }),
    labels: { shot: "42" },
  });

  test("is shown with what to do next", async () => {
    await using cluster = await fakeCluster({ "GET /v1/jobs/4f2a": () => failed });
    expect(await cluster.run("job get 4f2a")).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "",
        "stdout": "job       4f2a91c0d1e2f3a4
      state     failed
      task      square (function)
      queue     default
      tasks     1,000: 997 succeeded, 3 failed
      attempts  1,000
      run time  5.2 s in all attempts together
      created   2026-11-20T11:57:50.000Z (2m 10s ago)
      started   2026-11-20T11:57:51.000Z (2m 9s ago)
      ended     2026-11-20T11:57:53.500Z (2m 7s ago)
      took      2.5 s
      labels    shot=42

      why: skein why 4f2a91c0   which: skein task list 4f2a91c0 --state failed   retry: skein job retry 4f2a91c0
      ",
      }
    `);
  });

  test("that failed gives exit 1 after a wait", async () => {
    await using cluster = await fakeCluster({ "GET /v1/jobs/4f2a": () => failed });
    expect(await cluster.run("job get 4f2a --wait --json")).toMatchObject({ code: 1 });
  });

  test("that is not over gives exit 6 when the wait is", async () => {
    const running = fakeJob({ state: "running", ended: null, counts: counts({ assigned: 1_000 }) });
    await using cluster = await fakeCluster({
      "GET /v1/jobs/4f2a": () => running,
      [`GET /v1/jobs/${running.id}`]: () => running,
    });
    expect(await cluster.run("job get 4f2a --wait 50ms")).toMatchObject({ code: 6 });
  });

  test("that is not there gives exit 3", async () => {
    await using cluster = await fakeCluster({
      "GET /v1/jobs/beef": () => problem("not_found", "There is no job beef."),
    });
    expect(await cluster.run("job get beef")).toMatchInlineSnapshot(`
      {
        "code": 3,
        "stderr": "error: There is no job beef.
        fix  Check the id; \`skein job list\` shows what is there.
      ",
        "stdout": "",
      }
    `);
  });

  test("whose prefix fits several gives exit 5 and names them", async () => {
    await using cluster = await fakeCluster({
      "GET /v1/jobs/4f2a": () => problem("ambiguous", "4f2a may be 4f2a0000, 4f2a1111."),
    });
    expect(await cluster.run("job get 4f2a")).toMatchInlineSnapshot(`
      {
        "code": 5,
        "stderr": "error: The prefix fits several ids
        why  4f2a may be 4f2a0000, 4f2a1111.
        fix  Give more characters.
      ",
        "stdout": "",
      }
    `);
  });
});

describe("job cancel and retry", () => {
  const running = fakeJob({
    state: "running",
    ended: null,
    counts: counts({ ready: 10, assigned: 2, succeeded: 988 }),
  });
  const routes = {
    "GET /v1/jobs/4f2a": () => running,
    [`POST /v1/jobs/${running.id}/cancel`]: () => ({ ...running, state: "cancelled" }),
    "GET /v1/jobs/aaaa": () => fakeJob({ counts: counts({ succeeded: 990, failed: 10 }) }),
    [`POST /v1/jobs/${running.id}/retry`]: () => fakeJob({ id: "bbbb91c0d1e2f3a4" }),
  };

  test("say what changed", async () => {
    await using cluster = await fakeCluster(routes);
    expect(await cluster.run("job cancel 4f2a --reason enough")).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "✔ Job 4f2a91c0: 12 tasks cancelled.   see: skein job get 4f2a91c0
      ",
        "stdout": "",
      }
    `);
    expect(cluster.requests.at(-1)?.body).toBe('{"reason":"enough"}');
    expect(await cluster.run("job retry aaaa")).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "✔ Job bbbb91c0 retries 10 tasks of 4f2a91c0.   watch: skein job get bbbb91c0 --wait
      ",
        "stdout": "",
      }
    `);
  });

  test("change nothing in a dry run", async () => {
    await using cluster = await fakeCluster(routes);
    expect(await cluster.run("job cancel -n 4f2a")).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "Would cancel 12 tasks of job 4f2a91c0; 2 of them run.
      ",
        "stdout": "",
      }
    `);
    expect(await cluster.run("job retry -n aaaa")).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "Would retry 10 tasks of job 4f2a91c0.
      ",
        "stdout": "",
      }
    `);
    expect(cluster.requests.every(({ route }) => route.startsWith("GET"))).toBe(true);
  });

  test("go on after one that fails, and give exit 8", async () => {
    await using cluster = await fakeCluster(routes);
    const ran = await cluster.run("job cancel -", { stdin: "beef\n4f2a\n" });
    expect(ran).toMatchInlineSnapshot(`
      {
        "code": 8,
        "stderr": "✖ beef
      error: There is no GET /v1/jobs/beef here.
        fix  Check the id; \`skein job list\` shows what is there.
      ✔ Job 4f2a91c0: 12 tasks cancelled.   see: skein job get 4f2a91c0
      ",
        "stdout": "",
      }
    `);
  });
});

describe("tasks", () => {
  test("are listed, and shown with their attempts", async () => {
    const task = {
      ...fakeTask(),
      attempts: [
        attempt(1, { worker: "w1", state: "lost", reason: "worker_lost", charged: false }),
        attempt(2, { worker: "w2", state: "failed", reason: "error", runMs: 412 }),
      ],
      input: { frame: 17 },
      error: { name: "TypeError", message: "no such frame", stack: "TypeError: …\n    at shade" },
    };
    await using cluster = await fakeCluster({
      "GET /v1/jobs/4f2a/tasks": () => page([fakeTask(), fakeTask({ task: 18, state: "ready" })]),
      "GET /v1/jobs/4f2a/tasks/17": () => task,
    });
    expect((await cluster.run("task list 4f2a")).stdout).toMatchInlineSnapshot(`
      "TASK         STATE   ATTEMPT  WORKER  REASON  PROGRESS
      4f2a91c0/17  failed        2          error
      4f2a91c0/18  ready         2          error
      "
    `);
    expect((await cluster.run("task get 4f2a/17")).stdout).toMatchInlineSnapshot(`
      "task   4f2a91c0/17
      state  failed (error)
      input  {"frame":17}
      error  TypeError: no such frame
      stack  TypeError: …
                 at shade

      ATTEMPT  STATE   WORKER  REASON        TOOK  COUNTED
            1  lost    w1      worker_lost  2.0 s  no
            2  failed  w2      error        0.4 s  yes

      logs: skein logs 4f2a91c0/17
      "
    `);
  });

  test("must be named where a job has several", async () => {
    await using cluster = await fakeCluster({ "GET /v1/jobs/4f2a": () => fakeJob() });
    expect(await cluster.run("task get 4f2a")).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "error: Job 4f2a91c0 has 1,000 tasks: say which one.
        fix  Write 4f2a91c0/NUMBER; \`skein task list 4f2a91c0\` shows them.
      ",
        "stdout": "",
      }
    `);
  });

  function attempt(n: number, more: object): object {
    const times = { started: "2026-11-20T11:59:00.000Z", ended: "2026-11-20T11:59:02.000Z" };
    return { attempt: n, charged: true, runMs: null, log: null, error: null, ...times, ...more };
  }
});

describe("why", () => {
  test("asks about the task of a job that tells most", async () => {
    const job = fakeJob({ state: "running", counts: counts({ ready: 12, succeeded: 988 }) });
    const why = {
      task: "4f2a91c0d1e2f3a4/17",
      state: "ready",
      verdict: "It waits for a worker with gpu.",
      reasons: [
        { rule: "capacity", text: "has no gpu", workers: ["w1", "w2"] },
        { rule: "labels", text: "lacks zone=eu-1", workers: ["w3"] },
      ],
      line: { tasks: 0, jobs: 0, text: "Nothing goes before it." },
      forecast: null,
      change: [{ text: "Let worker w4 take work again.", command: "skein worker drain w4 --undo" }],
      attempts: [{ attempt: 1, worker: "w2", text: "Its worker was lost: it fell silent." }],
    };
    await using cluster = await fakeCluster({
      "GET /v1/jobs/4f2a": () => job,
      [`GET /v1/jobs/${job.id}/tasks`]: () => page([fakeTask({ state: "ready" })], 12),
      "GET /v1/jobs/4f2a/tasks/17/why": () => why,
    });
    expect(await cluster.run("why 4f2a")).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "",
        "stdout": "Job 4f2a91c0, running: 12 ready, 988 succeeded.
      Of 12 ready tasks, the first:
      task 4f2a91c0d1e2f3a4/17, ready: It waits for a worker with gpu.

      RULE      WORKERS  BECAUSE
      capacity  w1,w2    has no gpu
      labels    w3       lacks zone=eu-1

      ATTEMPT  WORKER  WHAT BECAME OF IT
            1  w2      Its worker was lost: it fell silent.

      Nothing goes before it.
      Let worker w4 take work again.   skein worker drain w4 --undo
      ",
      }
    `);
    expect(cluster.requests[1]?.query.get("filter")).toBe("state:ready");
  });
});

describe("workers and queues", () => {
  test("are listed", async () => {
    const queue = {
      name: "film",
      paused: true,
      pausedReason: "disk is full",
      weight: 2_000,
      runningMax: 8,
      queuedMax: 0,
      waiting: 12,
      assigned: 2,
      jobs: 3,
    };
    await using cluster = await fakeCluster({
      "GET /v1/workers": () =>
        page([fakeWorker(), fakeWorker({ id: "w2", state: "lost", connected: false })]),
      "GET /v1/queues": () => page([queue]),
    });
    expect((await cluster.run("worker list")).stdout).toMatchInlineSnapshot(`
      "WORKER  STATE     CPU          MEMORY  RUNNING  AHEAD  POOL     MORE       LABELS
      laptop  active  2.5/8  1.0 GiB/12 GiB        2      1  default  license=2  rack=a
      w2      lost    2.5/8  1.0 GiB/12 GiB        2      1  default  license=2  rack=a
      "
    `);
    expect((await cluster.run("queue list")).stdout).toMatchInlineSnapshot(`
      "QUEUE  STATE                 JOBS  WAITING  RUNNING  WEIGHT  MAX RUN  MAX WAIT
      film   paused: disk is full     3       12        2       2        8      none
      "
    `);
  });

  test("are changed, and say so", async () => {
    await using cluster = await fakeCluster({
      "PATCH /v1/queues/film": () => ({ name: "film" }),
      "POST /v1/workers/laptop/drain": () => fakeWorker({ state: "draining" }),
      "GET /v1/queues": () => page([]),
      "GET /v1/workers": () => page([fakeWorker()]),
    });
    expect((await cluster.run("queue set film --weight 0.5 --running-max 4")).stderr)
      .toMatchInlineSnapshot(`
        "✔ Queue film: weight 0.5, at most 4 running.   see: skein queue list
        "
      `);
    expect(cluster.requests[0]?.body).toBe('{"weight":500,"runningMax":4}');
    expect((await cluster.run("queue pause film --reason full")).stderr).toMatchInlineSnapshot(`
      "✔ Queue film: paused.   go on: skein queue resume film
      "
    `);
    expect((await cluster.run("queue pause film -n")).stderr).toMatchInlineSnapshot(`
      "Would change queue film: paused (no such queue yet).
      "
    `);
    expect((await cluster.run("worker drain laptop")).stderr).toMatchInlineSnapshot(`
      "✔ Draining laptop: 2 tasks running, at most 1h 0m. Then it ends.   undo: skein worker drain laptop --undo
      "
    `);
    expect((await cluster.run("worker drain laptop -n")).stderr).toMatchInlineSnapshot(`
      "Would drain worker laptop: 2 tasks running on it.
      "
    `);
    expect(await cluster.run("queue set film")).toMatchObject({ code: 2 });
  });
});

describe("results", () => {
  test("are lines of JSON; a task without one gives null and exit 1", async () => {
    const job = fakeJob({ tasks: 3, counts: counts({ succeeded: 2, failed: 1 }), state: "failed" });
    await using cluster = await fakeCluster({
      "GET /v1/jobs/4f2a": () => job,
      [`GET /v1/jobs/${job.id}`]: () => job,
      [`GET /v1/jobs/${job.id}/results`]: () => '1\n@{"task":1,"state":"failed"}\n{"a":3}\n',
    });
    expect(await cluster.run("results 4f2a")).toMatchInlineSnapshot(`
      {
        "code": 1,
        "stderr": "✖ 1 task of job 4f2a91c0 did not succeed.   which: skein task list 4f2a91c0 --state failed   retry: skein job retry 4f2a91c0
      ",
        "stdout": "1
      null
      {"a":3}
      ",
      }
    `);
  });
});

describe("where the cluster is", () => {
  test("is told by the data directory", async () => {
    await using cluster = await fakeCluster({ "GET /v1/queues": () => page([]) });
    await using dir = await temporary();
    await leaveAddress(dir.path, "m1", cluster.url);
    await writeFile(join(dir.path, "token"), "of-the-directory\n");
    const bySkeinData = { env: { SKEIN_DATA: dir.path } };
    expect(await run("queue list", bySkeinData)).toMatchObject({ code: 0 });
    // A directory that is named goes before the environment, with its own token.
    const env = { SKEIN_URL: "http://127.0.0.1:9", SKEIN_TOKEN: "other" };
    expect(await run(`queue list --data ${dir.path}`, { env })).toMatchObject({ code: 0 });
    expect(new Set(cluster.requests.map(({ token }) => token))).toEqual(
      new Set(["Bearer of-the-directory"]),
    );
  });

  test("is told by the environment where the directory has no token, or no master", async () => {
    await using cluster = await fakeCluster({ "GET /v1/queues": () => page([]) });
    await using dir = await temporary();
    const env = { SKEIN_URL: cluster.url, SKEIN_TOKEN: "of-the-environment" };
    // A worker elsewhere keeps its own in it.
    expect(await run(`queue list --data ${dir.path}`, { env })).toMatchObject({ code: 0 });
    await leaveAddress(dir.path, "m1", cluster.url);
    expect(await run(`queue list --data ${dir.path}`, { env })).toMatchObject({ code: 0 });
    const tokens = cluster.requests.map(({ token }) => token);
    expect(tokens).toEqual(["Bearer of-the-environment", "Bearer of-the-environment"]);
  });

  test("is told by any of the masters of a directory", async () => {
    await using cluster = await fakeCluster({ "GET /v1/queues": () => page([]) });
    await using dir = await temporary();
    const { url: gone, [Symbol.asyncDispose]: close } = await fakeCluster({});
    await close();
    await leaveAddress(dir.path, "m1", gone);
    await leaveAddress(dir.path, "m2", cluster.url);
    const env = { SKEIN_DATA: dir.path, SKEIN_TOKEN: "x" };
    expect(await run("queue list", { env })).toMatchObject({ code: 0 });
  });

  test("is not known: exit 7 and how to start one", async () => {
    await using dir = await temporary();
    const { code, stderr } = await run("status", { env: { SKEIN_DATA: dir.path } });
    expect(code).toBe(7);
    expect(stderr.replaceAll(dir.path, "DIR")).toMatchInlineSnapshot(`
      "error: No cluster is known here: SKEIN_URL is not set, and there is no DIR/masters/*/address.
        fix  Start one with \`skein up\`, or name another with --url or SKEIN_URL.
      "
    `);
  });

  test("is known, but nobody answers: exit 7 within two seconds", async () => {
    const { url, [Symbol.asyncDispose]: close } = await fakeCluster({});
    await close();
    const env = { SKEIN_URL: url, SKEIN_TOKEN: "x" };
    const begin = performance.now();
    const { code, stderr } = await run("status", { env });
    expect(code).toBe(7);
    expect(performance.now() - begin).toBeLessThan(3_000);
    expect(stderr.replace(/for [\d.]+ s/, "for 1 s").replace(new URL(url).host, "HOST"))
      .toMatchInlineSnapshot(`
        "error: Nobody answers at HOST: connection refused (tried for 1 s).
          fix  Start one with \`skein up\`, or name another with --url or SKEIN_URL.
        "
      `);
  });

  test("needs the right token: exit 4", async () => {
    await using cluster = await fakeCluster({
      "GET /v1/status": () => problem("unauthorized", "The token is not the cluster's."),
    });
    expect(await cluster.run("status")).toMatchInlineSnapshot(`
      {
        "code": 4,
        "stderr": "error: No valid token
        why  The token is not the cluster's.
        fix  Set SKEIN_TOKEN, or run where the data directory is readable.
      ",
        "stdout": "",
      }
    `);
  });

  async function leaveAddress(dir: string, id: string, url: string) {
    await mkdir(join(dir, "masters", id), { recursive: true });
    await writeFile(join(dir, "masters", id, "address"), `${url}\n`);
  }

  async function temporary() {
    const path = await mkdtemp(join(tmpdir(), "skein-cli-test-"));
    return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
  }
});

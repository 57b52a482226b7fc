import { afterEach, describe, expect, test } from "vitest";
import { fakeOverview } from "../doctor/cluster.fixture.ts";
import { counts, fakeCluster, fakeIo, fakeJob, noon, problem } from "../fakes.fixture.ts";
import type { FakeCluster, FakeIo, FakeOptions, FakeRoutes } from "../fakes.fixture.ts";
import { runCli } from "../program.ts";
import { plainText, styleFor, widthOf } from "../style.ts";
import { clusterFrame, jobFrame, sparkline } from "./frames.ts";
import { fitted, Screen } from "./screen.ts";

const plain = styleFor(fakeIo().stdout, {}, { noColor: true, ascii: false });
const ascii = styleFor(fakeIo().stdout, {}, { noColor: true, ascii: true });
const small = { columns: 80, rows: 24 };
const id = "4f2a91c0d1e2f3a4";

const busy = fakeOverview({
  running: [
    {
      id,
      task: "render \u001b[31m🎬",
      queue: "film",
      tasks: 1_000,
      counts: counts({ ready: 140, assigned: 48, succeeded: 809, failed: 3 }),
      started: noon,
      etaMs: 12_000,
    },
  ],
  jobs: { unfinished: 4, finished: 90 },
  attention: [
    { level: "warn", text: "w3 is suspect.", hint: "It was silent for 6 s.", link: null },
    { level: "bad", text: "The journal is 91 % full.", hint: null, link: null },
  ],
  level: "bad",
  verdict: "The journal is 91 % full.",
  workers: {
    total: 40,
    items: Array.from({ length: 40 }, (_, i) => ({
      id: `w${i + 1}`,
      state: i === 30 ? ("suspect" as const) : ("active" as const),
      used: i % 5,
      total: 4,
      running: i % 5,
    })),
  },
});
const series = {
  from: 0,
  stepMs: 10_000,
  succeeded: [0, 0, 10, 40, 120],
  failed: [0, 0, 0, 0, 0],
  waiting: [0, 500, 400, 300, 140],
  assigned: [0, 8, 8, 8, 8],
  used: [0, 8, 8, 8, 3],
  total: [8, 8, 8, 8, 8],
  oldestWaitMs: [0, 0, 0, 0, 0],
};
const running = fakeJob({
  state: "running",
  task: "render",
  counts: counts({ ready: 140, assigned: 48, succeeded: 809, failed: 3 }),
  ended: null,
});
const grid = {
  tasks: 100,
  perCell: 1,
  states: Buffer.from(
    Array.from({ length: 100 }, (_, i) => (i < 60 ? 5 : i === 60 ? 6 : i < 65 ? 4 : 1)),
  ).toString("base64"),
};
const errors = {
  groups: [
    {
      fingerprint: "a",
      reason: "error",
      message: "frame 17 is bad\u001b[2J\nat x",
      count: 3,
      first: { task: 17, attempt: 1, worker: "w1", at: noon },
    },
  ],
  looked: 3,
  partial: null,
};
const text = (lines: readonly string[], size: typeof small) =>
  fitted(lines, size, plain)
    .map((line) => `${line}\n`)
    .join("");

describe("the picture of a cluster", () => {
  test("says first what is wrong, and fits 80 columns and 24 lines", () => {
    const lines = fitted(clusterFrame(busy, series, small, plain), small, plain);
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(80);
    expect(lines.length).toBeLessThanOrEqual(23);
    expect(text(lines, small)).toMatchInlineSnapshot(`
      "✖ The journal is 91 % full.
        m1 answers, term 1, batch 42

      done                                       ▁▁▂▃█  12/s
      waiting                                    ▁█▇▅▃  30, the oldest 1.2 s
      cpu                                        ▁███▄  3 of 8, 3 tasks assigned

      ! w3 is suspect.  It was silent for 6 s.
      ✖ The journal is 91 % full.

      JOBS      4 unfinished
      4f2a91c0  render ␛[31m🎬    ██████████░░  812/1,000  failed 3  ETA 12 s
        and 3 more: skein job list

      WORKERS   40
      w31  suspect   ░░░░░░░░░░░░  0 of 4 cpu  0 running
      w1   active    ░░░░░░░░░░░░  0 of 4 cpu  0 running
      w2   active    ███░░░░░░░░░  1 of 4 cpu  1 running
      w3   active    ██████░░░░░░  2 of 4 cpu  2 running
      w4   active    █████████░░░  3 of 4 cpu  3 running
      w5   active    ████████████  4 of 4 cpu  4 running
      w6   active    ░░░░░░░░░░░░  0 of 4 cpu  0 running
        and 33 more: skein worker list
      "
    `);
  });

  test("has a form of plain characters", () => {
    const shown = text(clusterFrame(fakeOverview(), series, small, ascii), small);
    expect(shown).toMatch(/^[\n\u0020-\u007e]*$/);
    expect(shown).toMatchInlineSnapshot(`
      "ok Healthy: 1 worker, nothing waits.
        m1 answers, term 1, batch 42

      done                                       __.-#  12/s
      waiting                                    _#*=-  30, the oldest 1.2 s
      cpu                                        _###:  3 of 8, 3 tasks assigned

      JOBS      1 unfinished
        none runs

      WORKERS   1
      laptop  active    #####.......  3 of 8 cpu  3 running
      "
    `);
  });

  test("is drawn before the first point of its series is there, on the smallest terminal too", () => {
    const tiny = { columns: 20, rows: 6 };
    expect(fitted(clusterFrame(busy, undefined, tiny, plain), tiny, plain)).toHaveLength(5);
  });
});

describe("the picture of a job", () => {
  const seen = { job: running, grid, errors, ended: [0, 3, 12, 9, 7] };

  test("shows how far it is, every task, and what went wrong", () => {
    const lines = jobFrame(seen, small, Date.parse(noon), plain);
    expect(text(lines, small)).toMatchInlineSnapshot(`
      "render  4f2a91c0  running  in queue default
      ██████████████████████████████████████████░░░░░░░░░░  812/1,000  2m 9s  ETA 30 s

      tasks    140 ready, 48 assigned, 809 succeeded, 3 failed
      done                                                  ▁▃█▆▅  6.2/s
      errors   3 x frame 17 is bad␛[2J  skein logs 4f2a91c0/17

      a mark is a task
      ████████████████████████████████████████████████████████████✖▶▶▶▶···············
      ····················

      Ctrl-C ends the watch, not the job.   cancel: skein job cancel 4f2a91c0
      "
    `);
  });

  test("has a form of plain characters, in which no mark is lost", () => {
    const shown = text(
      jobFrame({ ...seen, errors: undefined }, small, Date.parse(noon), ascii),
      small,
    );
    expect(shown).toMatch(/^[\n\u0020-\u007e]*$/);
    expect(shown).toContain("#x>>>>....");
  });
});

test("a sparkline is as wide as it may be, and shows little as more than nothing", () => {
  expect(sparkline([0, 1, 100, 50], 6, plain)).toBe("  ▁▂█▅");
  expect(sparkline([9, 0, 0, 9, 0, 0], 3, ascii)).toBe("##_");
  expect(sparkline([0, 0], 2, ascii)).toBe("__");
  expect(sparkline([], 2, ascii)).toBe("  ");
});

test("the screen comes back with the last picture on it, whatever ends the watch", () => {
  const io = fakeIo({ columns: 40 });
  const watch = () => {
    using screen = new Screen(io.stdout, plain);
    screen.draw(["one"]);
    screen.draw(["two"]);
    throw new Error("anything");
  };
  expect(watch).toThrow("anything");
  expect(io.text.stdout).toBe(
    "\u001b[?1049h\u001b[?25l\u001b[2J\u001b[Hone\u001b[K\u001b[J\u001b[Htwo\u001b[K\u001b[J\u001b[?25h\u001b[?1049ltwo\n",
  );
});

describe("skein watch", () => {
  const open: { readonly io: FakeIo; readonly ended: Promise<number> }[] = [];
  afterEach(async () => {
    for (const { io, ended } of open.splice(0)) {
      io.interrupt();
      await ended;
    }
  });

  function start(fake: FakeCluster, args: string, { env = {}, ...more }: FakeOptions = {}) {
    const io = fakeIo({ ...more, env: { SKEIN_URL: fake.url, SKEIN_TOKEN: "t", ...env } });
    const ended = runCli(args.split(" "), io);
    open.push({ io, ended });
    return { io, ended };
  }

  /** Batches go by; now and then a task ends. */
  function cluster(more: FakeRoutes = {}) {
    let asked = 0;
    return fakeCluster({
      "GET /v1/overview": () =>
        fakeOverview({ index: ++asked, tasks: { waiting: 30, assigned: asked > 2 ? 2 : 3 } }),
      "GET /v1/series": () => series,
      ...more,
    });
  }

  test("draws on a terminal, and Ctrl-C leaves it as it was", async () => {
    await using fake = await cluster();
    const { io, ended } = start(fake, "watch", { columns: 80 });
    await expect.poll(() => io.text.stdout, { timeout: 10_000 }).toContain("batch 2");
    io.interrupt();
    expect(await ended).toBe(0);
    expect(io.text.stdout.startsWith("\u001b[?1049h")).toBe(true);
    expect(io.text.stdout).toContain("\u001b[?25h\u001b[?1049l");
    expect(io.text.stderr).toBe("");
    expect(io.text.stdout).not.toBe(plainText(io.text.stdout));
  });

  test("has no colours with NO_COLOR, and plain characters with --ascii", async () => {
    await using fake = await cluster();
    const { io, ended } = start(fake, "watch --ascii", { columns: 80, env: { NO_COLOR: "1" } });
    await expect.poll(() => io.text.stdout, { timeout: 10_000 }).toContain("WORKERS");
    io.interrupt();
    await ended;
    expect(io.text.stdout).toBe(plainText(io.text.stdout));
    expect(io.text.stdout).not.toMatch(/[^\p{ASCII}]/u);
  });

  test("prints into a pipe a line for every change, and none where nothing changed", async () => {
    await using fake = await cluster();
    const { io, ended } = start(fake, "watch");
    await expect.poll(() => io.text.stdout, { timeout: 20_000 }).toContain("assigned 2");
    io.interrupt();
    expect(await ended).toBe(0);
    expect(io.text).toMatchInlineSnapshot(`
      {
        "stderr": "",
        "stdout": "2026-11-20T12:00:00.000Z  ok  Healthy: 1 worker, nothing waits.  workers 1  cpu 3/8  waiting 30  assigned 3
      2026-11-20T12:00:00.000Z  ok  Healthy: 1 worker, nothing waits.  workers 1  cpu 3/8  waiting 30  assigned 2
      ",
      }
    `);
  }, 30_000);

  test("prints with --json a document a line", async () => {
    await using fake = await cluster();
    const { io, ended } = start(fake, "watch --json", { columns: 80 });
    await expect.poll(() => io.text.stdout, { timeout: 20_000 }).toContain('"assigned":2');
    io.interrupt();
    expect(await ended).toBe(0);
    const lines = io.text.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({ apiVersion: "skein/v1", at: noon, overview: { index: 1 } });
  }, 30_000);

  test("ends at a bug of the master: that does not pass", async () => {
    let asked = 0;
    await using fake = await cluster({
      "GET /v1/overview": () =>
        ++asked > 1 ? problem("internal", "A bug.") : fakeOverview({ index: asked }),
    });
    const { io, ended } = start(fake, "watch", { columns: 80 });
    expect(await ended).toBe(70);
    expect(io.text.stdout).toContain("batch 1");
  }, 30_000);

  test("goes on over trouble that passes, and says how old the picture is", async () => {
    let ill = false;
    await using other = await cluster({
      "GET /v1/overview": () =>
        ill ? problem("stalled", "It waits.") : fakeOverview({ index: 5 }),
    });
    const second = start(other, "watch", { columns: 80 });
    await expect.poll(() => second.io.text.stdout, { timeout: 10_000 }).toContain("batch 5");
    ill = true;
    await expect
      .poll(() => second.io.text.stdout, { timeout: 20_000 })
      .toMatch(/No master answers: what is shown is .* old\./);
    ill = false;
    const lastFrame = () => second.io.text.stdout.split("\u001b[H").at(-1);
    await expect.poll(lastFrame, { timeout: 20_000 }).not.toContain("No master answers");
    expect(lastFrame()).toContain("Healthy");
    second.io.interrupt();
    expect(await second.ended).toBe(0);
  }, 60_000);

  test("of a job ends with it, and with 1 when it failed", async () => {
    let asked = 0;
    const failed = { ...running, state: "failed" as const, ended: noon };
    await using fake = await fakeCluster({
      "GET /v1/jobs/4f2a": () => (++asked < 2 ? running : failed),
      [`GET /v1/jobs/${id}/grid`]: () => grid,
      [`GET /v1/jobs/${id}/errors`]: () => errors,
    });
    const { io, ended } = start(fake, "watch 4f2a");
    expect(await ended).toBe(1);
    expect(io.text).toMatchInlineSnapshot(`
      {
        "stderr": "",
        "stdout": "2026-11-20T12:00:00.000Z  4f2a91c0  running  812/1000 done  48 assigned  3 failed
      2026-11-20T12:00:00.000Z  4f2a91c0  failed  812/1000 done  48 assigned  3 failed
      ",
      }
    `);
  });

  test("of no such job, or where nobody answers, fails as other commands do", async () => {
    await using fake = await fakeCluster({
      "GET /v1/jobs/9999": () => problem("not_found", "There is no job 9999."),
    });
    const { io, ended } = start(fake, "watch 9999", { columns: 80 });
    expect(await ended).toBe(3);
    expect(io.text.stdout).toBe("");
  });
});

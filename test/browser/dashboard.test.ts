// What a person can do with the dashboard of a real cluster, in a real browser.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { encodeLogMissing, encodeLogRecord } from "../../src/protocol/log-record.ts";
import { chromiumFound, Dashboard, violations } from "./dashboard.fixture.ts";

const assets = fileURLToPath(new URL("../../dist/dashboard/assets", import.meta.url));

test("its scripts are at most 250 kB, packed", () => {
  const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"));
  const sizes = scripts.map((name) => gzipSync(readFileSync(`${assets}/${name}`)).length);
  expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThan(250_000);
  expect(scripts.every((name) => existsSync(`${assets}/${name}.gz`))).toBe(true);
});

describe.skipIf(chromiumFound === undefined)("the dashboard (skipped without Chromium)", () => {
  let dashboard: Dashboard;
  let failed: string;
  let printed: string;
  let waits: string;
  beforeAll(async () => {
    dashboard = await Dashboard.open();
    const hostile = { note: `<img src=x onerror="document.title='owned'">`, rtl: "שלום 🧵" };
    failed = (
      await dashboard.job("echo '<b>bold</b> \u001b[31mred\u001b[0m'; exit 3", { labels: hostile })
    ).id;
    await dashboard.ended(failed);
    printed = (await dashboard.job("echo hay; echo needle $$", { tasks: 5 })).id;
    await dashboard.ended(printed);
    waits = (await dashboard.job("sleep 1000", { tasks: 4 })).id;
  });
  afterAll(async () => {
    await dashboard[Symbol.asyncDispose]();
  });
  afterEach(() => {
    expect(dashboard.complaints.splice(0)).toEqual([]);
  });

  const at = (path: string) => dashboard.cluster.url + path;

  test("tells a browser that is not logged in what to do, and shows it nothing", async () => {
    const page = await dashboard.stranger();
    await page.goto(at("/jobs"));
    await page.getByText("skein ui", { exact: true }).waitFor();
    expect(await page.getByText("sh", { exact: true }).count()).toBe(0);
    // That the API refused is what the browser reports.
    dashboard.complaints.length = 0;
  });

  test("opens by a code, once, and leaves neither code nor token behind", async () => {
    const page = await dashboard.stranger();
    const { url, code } = await dashboard.client.loginCode();
    await page.goto(url);
    await page.getByRole("heading", { level: 1 }).waitFor();
    const kept = await page.evaluate(() => JSON.stringify(localStorage) + location.href);
    expect(kept).not.toContain(code);
    expect(kept).not.toContain(dashboard.cluster.token);
    expect(await page.evaluate(() => document.cookie)).toBe("");
    const second = await dashboard.stranger();
    await second.goto(url);
    await second.getByText("is used up").waitFor();
    dashboard.complaints.length = 0;
  });

  const screens = (): readonly (readonly [name: string, path: string, shown: string])[] => [
    ["overview", "/", "Running jobs"],
    ["jobs", "/jobs", "Progress"],
    ["job", `/jobs/${failed}`, "exit code 3"],
    ["stream", `/jobs/${failed}?tab=stream`, "1 attempt"],
    ["grid", `/jobs/${failed}?tab=grid`, "1 task"],
    ["graph", `/jobs/${failed}?tab=graph`, "waits for no other"],
    ["tasks", `/jobs/${failed}?tab=tasks`, "Attempt"],
    ["logs", `/jobs/${failed}?tab=logs`, "<b>bold</b> red"],
    ["task", `/jobs/${failed}/0`, "Input and result"],
    ["workers", "/workers", "all active"],
    ["worker", "/workers/w1", "What it is"],
    ["queues", "/queues", "asks for"],
    ["masters", "/masters", "Journal"],
    ["events", "/events", "Events"],
  ];

  test.each([{ dark: false }, { dark: true }, { width: 390 }])(
    "has no screen that axe finds fault with, or that scrolls sideways: %o",
    async (look) => {
      const page = await dashboard.page(look);
      const found: string[] = [];
      for (const [name, path, shown] of screens()) {
        await page.goto(at(path));
        await page.getByText(shown).first().waitFor({ state: "attached" });
        found.push(...(await violations(page)).map((one) => `${name}: ${one}`));
        if (await scrollsSideways(page)) found.push(`${name} scrolls sideways`);
      }
      expect(found).toEqual([]);
    },
  );

  test("shows names and output as text, whatever is in them", async () => {
    const page = await dashboard.page();
    await page.goto(at(`/jobs/${failed}`));
    await page.getByText("note=<img src=x").first().waitFor();
    expect(await page.locator("main img").count()).toBe(0);
    expect(await page.title()).toBe("Skein");
    await page.goto(at(`/jobs/${failed}/0`));
    await page.locator(".lines .c1", { hasText: "red" }).waitFor();
    expect(await page.locator(".lines b").count()).toBe(0);
  });

  test("is steered by the keyboard", async () => {
    const page = await dashboard.page();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("w");
    await page.getByRole("heading", { name: "Workers" }).waitFor();
    await page.keyboard.press("/");
    await page.getByRole("combobox").fill(failed.slice(0, 8));
    await page.keyboard.press("Enter");
    await page.getByText("exit code 3").first().waitFor();
    await page.keyboard.press("c");
    await page.getByText(`skein job retry ${failed}`).waitFor();
  });

  test("retries what failed as a new job", async () => {
    const page = await dashboard.page();
    await page.goto(at(`/jobs/${failed}`));
    await page.getByRole("button", { name: "Retry 1 task" }).click();
    await page.getByText("Retry of").waitFor();
    const { items } = await dashboard.client.jobs();
    expect(items.filter(({ retryOf }) => retryOf === failed)).toHaveLength(1);
  });

  test("cancels many jobs at once, and says first how many", async () => {
    const ids = [];
    for (let n = 0; n < 3; n++) ids.push((await dashboard.job("sleep 1000")).id);
    const page = await dashboard.page();
    await page.goto(at("/jobs?filter=state:waiting"));
    for (const id of ids) {
      await page.getByRole("checkbox", { name: `Choose sh ${id.slice(0, 8)}` }).check();
    }
    await page.getByText("3 jobs chosen").waitFor();
    await page.getByRole("button", { name: "Cancel (3)" }).click();
    await page.getByText("Cancel 3 jobs?").waitFor();
    await page.getByRole("button", { name: "Cancel 3 jobs" }).click();
    await page.getByText("3 done, 0 not.").waitFor();
    const states = await Promise.all(ids.map(async (id) => (await dashboard.client.job(id)).state));
    expect(states).toEqual(["cancelled", "cancelled", "cancelled"]);
    expect((await dashboard.client.job(waits)).ended).toBeNull();
  });

  test("says what is wrong with a filter in the master's words, and takes it away again", async () => {
    const page = await dashboard.page();
    await page.goto(at("/jobs"));
    await page.getByRole("textbox", { name: "Add to the filter" }).fill("stat:failed");
    await page.keyboard.press("Enter");
    const words = page.locator("main [role=alert]");
    await words.filter({ hasText: 'there is no field "stat"' }).waitFor();
    await words.filter({ hasText: "Did you mean state?" }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Take away stat:failed" }).click();
    await page.getByRole("table", { name: "Jobs" }).waitFor();
    expect(await words.count()).toBe(0);
    // It was asked, and not again and again.
    const refusals = dashboard.complaints.splice(0);
    expect(refusals.filter((one) => !one.startsWith("400 /v1/jobs "))).toEqual([]);
    expect(refusals.length).toBeLessThan(4);
  });

  test("cancels all that fit a filter, and asks again when they are no longer as many", async () => {
    const labels = { team: "night shift" };
    const more = () => dashboard.job("sleep 1000", { labels });
    const ids = [(await more()).id, (await more()).id];
    const page = await dashboard.page();
    await page.goto(at(`/jobs?filter=${encodeURIComponent('label.team="night shift"')}`));
    await page.getByRole("checkbox", { name: `Choose sh ${ids[0]?.slice(0, 8)}` }).check();
    await page.getByRole("button", { name: "Choose all 2" }).click();
    await page.getByRole("button", { name: "Cancel all" }).click();
    await page.getByText("Cancel 2 jobs?").waitFor();
    ids.push((await more()).id);
    await page.getByRole("button", { name: "Cancel 2 jobs" }).click();
    await page.getByText("3 jobs fit, not 2: nothing was done.").waitFor();
    await page.getByRole("button", { name: "Cancel 3 jobs" }).click();
    await page.getByText("3 done, 0 not.").waitFor();
    const states = await Promise.all(ids.map(async (id) => (await dashboard.client.job(id)).state));
    expect(states).toEqual(["cancelled", "cancelled", "cancelled"]);
    expect((await dashboard.client.job(waits)).ended).toBeNull();
    const [refusal, ...others] = dashboard.complaints.splice(0);
    expect(refusal).toContain("count_differs");
    expect(others).toEqual([]);
  });

  test("shows what happens as it happens, and how fresh that is", async () => {
    const page = await dashboard.page();
    await page.goto(at("/jobs?filter=label.live=yes"));
    await page.locator(".fresh[title*='term 1, told by']", { hasText: "live" }).waitFor();
    const begin = Date.now();
    for (let n = 0; n < 3; n++) {
      const { id } = await dashboard.job("true", { labels: { live: "yes" } });
      const row = page.getByRole("row").filter({ hasText: id.slice(0, 8) });
      await row.filter({ hasText: "waiting" }).waitFor();
      await dashboard.client.cancelJob(id);
      await row.filter({ hasText: "cancelled" }).waitFor();
    }
    // Without the stream each of six changes would have waited for its own turn of asking, 15 s after the one before.
    expect(Date.now() - begin).toBeLessThan(30_000);
  });

  test("takes a worker out of work and in again, and shows what it ran", async () => {
    const page = await dashboard.page();
    const { items } = await dashboard.client.workerAttempts("w1");
    const other = items.length > 0 ? "w1" : "w2";
    await page.goto(at(`/workers/${other}`));
    const table = page.getByRole("table", { name: "Last attempts" });
    await table.getByRole("row").nth(1).waitFor();
    await page.getByRole("button", { name: "Cordon" }).click();
    await page.getByRole("button", { name: "Take work again" }).waitFor();
    expect(["draining", "drained"]).toContain((await dashboard.client.worker(other)).state);
    await page.getByRole("button", { name: "Take work again" }).click();
    await page.getByRole("button", { name: "Cordon" }).waitFor();
    expect((await dashboard.client.worker(other)).state).toBe("active");
  });

  test("shows the output of all tasks of a job, and finds lines in it", async () => {
    const page = await dashboard.page();
    await page.goto(at(`/jobs/${printed}?tab=logs`));
    await page.getByText("10 lines", { exact: true }).waitFor();
    await page.getByRole("searchbox", { name: "Find in the output of all tasks" }).fill("needle");
    await page.keyboard.press("Enter");
    await page.getByText("5 lines", { exact: true }).waitFor();
    expect(await page.locator(".lines .line").allInnerTexts()).toHaveLength(5);
    await page.getByRole("button", { name: "One task" }).click();
    await page.getByRole("searchbox", { name: "Find in the output", exact: true }).waitFor();
  });

  test("says what a log lacks, where it lacks it", async () => {
    const page = await dashboard.page();
    const told = new TextEncoder().encode("1,234 bytes were never copied.");
    const said = encodeLogRecord("stdout", new TextEncoder().encode("after\n"));
    await page.route("**/v1/jobs/*/tasks/0/logs?*", (route) =>
      route.fulfill({ body: Buffer.concat([encodeLogMissing(1_234, told), said]) }),
    );
    await page.goto(at(`/jobs/${printed}/0`));
    await page.getByRole("note").filter({ hasText: "never copied" }).waitFor();
    await page.locator(".line.missing", { hasText: "1,234 bytes were never copied." }).waitFor();
    expect(await page.locator(".lines .line").allInnerTexts()).toHaveLength(2);
    expect(await violations(page)).toEqual([]);
  });

  test("forgets a worker that has gone", async () => {
    const worker = dashboard.cluster.startWorker("w3");
    await dashboard.cluster.workersActive(3);
    const page = await dashboard.page();
    await page.goto(at("/workers/w3"));
    await page.getByRole("button", { name: "Cordon" }).waitFor();
    worker.kill("SIGTERM");
    await page.getByRole("button", { name: "Forget" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Forget" }).click();
    await page.waitForURL((url) => url.pathname === "/workers");
    const { items } = await dashboard.client.workers();
    expect(items.map(({ id }) => id).toSorted()).toEqual(["w1", "w2"]);
    await page.getByText("w3", { exact: true }).waitFor({ state: "detached" });
  });

  test("pauses a queue, with the reason for the others", async () => {
    const page = await dashboard.page();
    await page.goto(at("/queues"));
    await page.getByRole("button", { name: "Pause default" }).click();
    await page.getByLabel("Why, for the others").fill("licence server is down");
    await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
    await page.getByText("licence server is down").waitFor();
    const [queue] = (await dashboard.client.queues()).items;
    expect(queue).toMatchObject({ paused: true, pausedReason: "licence server is down" });
    await page.getByRole("button", { name: "Resume default" }).click();
    await page.getByText("open", { exact: true }).waitFor();
  });

  test("holds what is new back while somebody reads further down", async () => {
    for (let n = 0; n < 60; n++) await dashboard.job("true");
    const page = await dashboard.page();
    await page.goto(at("/jobs"));
    const table = page.getByRole("table", { name: "Jobs" });
    await table.getByRole("row").nth(20).waitFor();
    await table.evaluate((element) => element.scrollTo({ top: 600 }));
    const before = await table.evaluate(middleRow);
    await dashboard.job("true");
    await page.getByRole("button", { name: "1 new" }).waitFor();
    expect(await table.evaluate(middleRow)).toBe(before);
    await page.getByRole("button", { name: "1 new" }).click();
    await page.waitForFunction(() => document.querySelector("[role=table]")?.scrollTop === 0);
  });
});

test.skipIf(chromiumFound === undefined)(
  "a page whose master dies says so, and goes on with another (skipped without Chromium)",
  async () => {
    await using dashboard = await Dashboard.open({ masters: 2 });
    const page = await dashboard.page();
    await page.goto(`${dashboard.cluster.url}/masters`);
    await page.getByText("standing by").waitFor();
    await dashboard.cluster.killMaster();
    // m2 leads then, and this page, which came from m1, shows it.
    await page.locator(".state", { hasText: "away" }).waitFor({ timeout: 60_000 });
    await page.locator(".fresh", { hasText: "live" }).waitFor();
    expect(await page.locator(".fresh").getAttribute("title")).toContain(
      new URL(dashboard.cluster.masters[1]?.url ?? "").host,
    );
  },
);

test.skipIf(chromiumFound === undefined)(
  "a page that no master answers says so, and goes on by itself (skipped without Chromium)",
  async () => {
    await using dashboard = await Dashboard.open();
    const page = await dashboard.page();
    await page.locator(".fresh", { hasText: "live" }).waitFor();
    await dashboard.cluster.killMaster();
    await page.getByText("No master answers.").waitFor();
    await dashboard.cluster.startMaster();
    await page.getByText("No master answers.").waitFor({ state: "detached", timeout: 60_000 });
    await page.locator(".fresh", { hasText: "live" }).waitFor();
  },
);

const scrollsSideways = (page: Page): Promise<boolean> =>
  page.evaluate(() => {
    const main = document.querySelector("main");
    return (
      document.documentElement.scrollWidth > innerWidth ||
      (main !== null && main.scrollWidth > main.clientWidth)
    );
  });

/** What is read in the middle of a list, and where it stands. */
function middleRow(table: Element): string {
  const box = table.getBoundingClientRect();
  const row = document.elementFromPoint(box.left + 300, box.top + 200)?.closest("[role=row]");
  const id = row?.querySelector("code")?.textContent;
  return `${id} at ${Math.round(row?.getBoundingClientRect().top ?? 0)}`;
}

// What a person can do with the dashboard of a real cluster, in a real browser.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
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
  let waits: string;
  beforeAll(async () => {
    dashboard = await Dashboard.open();
    const hostile = { note: `<img src=x onerror="document.title='owned'">`, rtl: "שלום 🧵" };
    failed = (
      await dashboard.job("echo '<b>bold</b> \u001b[31mred\u001b[0m'; exit 3", { labels: hostile })
    ).id;
    await dashboard.ended(failed);
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

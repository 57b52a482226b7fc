/**
 * The dashboard in a real browser, beside the same load: how soon it paints, how large its scripts are, and whether it
 * keeps up while one scrolls and zooms. Skipped, and said so, where there is no build of it or no Chromium.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import type { Page as Tab } from "playwright-core";
import { median } from "../peers/statistics.ts";
import type { World } from "./world.ts";

export interface Painted {
  readonly what: string;
  /** First contentful paint, the median of some loads. */
  readonly ms: number;
}

export interface Frames {
  readonly what: string;
  readonly perSecond: number;
  readonly longestMs: number;
}

export interface Measurements {
  readonly scriptGzipBytes: number;
  readonly paints: readonly Painted[];
  readonly frames: readonly Frames[];
}

export type Page = { readonly skipped: string } | Measurements;

const program = "/usr/bin/chromium";
const built = fileURLToPath(new URL("../../dist/dashboard/", import.meta.url));
const loads = 5;
const movingMs = 5_000;

export async function browse(world: World, log: (line: string) => void): Promise<Page> {
  const skipped = whyNot();
  if (skipped !== undefined) {
    log(`  !!! the page is NOT measured: ${skipped}`);
    return { skipped };
  }
  log("  the page …");
  const args = ["--no-sandbox", "--disable-background-networking"];
  const browser = await chromium.launch({ executablePath: program, args });
  try {
    const tab = await browser.newPage({ viewport: { width: 1_280, height: 900 } });
    await logIn(tab, world);
    const { url } = world.cluster;
    const paints = [
      { what: "Overview", ms: await firstPaint(tab, `${url}/`) },
      { what: "Jobs", ms: await firstPaint(tab, `${url}/jobs`) },
    ];
    const frames = [await scrolled(tab, `${url}/jobs`), await zoomed(tab, world)];
    return { scriptGzipBytes: scriptBytes(built), paints, frames };
  } finally {
    await browser.close();
  }
}

function whyNot(): string | undefined {
  if (!existsSync(built)) return "dist/dashboard is missing: there is no dashboard in this build";
  return existsSync(program) ? undefined : `there is no ${program}`;
}

async function logIn(tab: Tab, { cluster }: World): Promise<void> {
  const answer = await fetch(`${cluster.url}/v1/login-codes`, {
    method: "POST",
    headers: { authorization: `Bearer ${cluster.token}`, "content-type": "application/json" },
    body: "{}",
  });
  if (!answer.ok) throw new Error(`no login code: ${answer.status} ${await answer.text()}`);
  const { url } = (await answer.json()) as { url: string };
  await tab.goto(url);
  await tab.waitForURL((at) => at.pathname === "/");
}

async function firstPaint(tab: Tab, url: string): Promise<number> {
  const all: number[] = [];
  while (all.length < loads) {
    await tab.goto(url, { waitUntil: "load" });
    await tab.locator("h1").first().waitFor();
    const entries = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN";
    all.push(Number(await tab.evaluate(entries)));
  }
  return Math.round(median(all));
}

async function scrolled(tab: Tab, url: string): Promise<Frames> {
  await tab.goto(url);
  await tab.locator("[data-index]").first().waitFor();
  await tab.mouse.move(640, 600);
  let turn = 0;
  const move = async (): Promise<void> => {
    await tab.mouse.wheel(0, turn++ % 60 < 45 ? 900 : -900);
  };
  return { what: "scrolling the list of jobs", ...(await framesWhile(tab, move)) };
}

/** In and out by its keys, of the job with as many bars as are drawn. */
async function zoomed(tab: Tab, { cluster, jobs }: World): Promise<Frames> {
  await tab.goto(`${cluster.url}/jobs/${jobs.wide}?tab=stream`);
  const canvas = tab.locator(".canvas-frame canvas").first();
  await canvas.waitFor();
  await canvas.focus();
  let turn = 0;
  const move = async (): Promise<void> => {
    await tab.keyboard.press(turn++ % 16 < 8 ? "+" : "-");
  };
  return { what: "zooming the task stream", ...(await framesWhile(tab, move)) };
}

/** Frames that the page really had, counted inside it. */
async function framesWhile(tab: Tab, move: () => Promise<void>) {
  await tab.evaluate(`
    globalThis.seen = [];
    const look = (at) => { globalThis.seen.push(at); requestAnimationFrame(look); };
    requestAnimationFrame(look);
  `);
  const endAt = performance.now() + movingMs;
  while (performance.now() < endAt) {
    await move();
    await sleep(16);
  }
  const seen = (await tab.evaluate("globalThis.seen")) as number[];
  const gaps = seen.slice(1).map((at, i) => at - (seen[i] ?? at));
  const ms = (seen.at(-1) ?? 0) - (seen[0] ?? 0);
  return {
    perSecond: Math.round(((seen.length - 1) * 1_000) / ms),
    longestMs: Math.round(Math.max(...gaps)),
  };
}

function scriptBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".js"))
    .reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file))).length, 0);
}

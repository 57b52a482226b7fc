// The dashboard of a real cluster in a real Chromium.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import type { Client } from "skein/client";
import { createClient } from "skein/client";
import { ProcessCluster } from "../processes/process-cluster.ts";
import { findChromium, howToGetChromium } from "../tools/find-chromium.ts";

export const chromiumFound = findChromium();
if (chromiumFound === undefined) console.warn(`SKIPPED, no Chromium here: ${howToGetChromium}`);

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export interface Look {
  readonly dark?: boolean;
  readonly width?: number;
}

export class Dashboard implements AsyncDisposable {
  readonly cluster: ProcessCluster;
  readonly client: Client;
  readonly #browser: Browser;
  readonly #contexts: BrowserContext[] = [];
  /** What pages complained of, but for what a master does not know (yet). */
  readonly complaints: string[] = [];

  static async open(options: { readonly masters?: number } = {}): Promise<Dashboard> {
    const cluster = await ProcessCluster.start({ workers: 2, ...options });
    const browser = await chromium.launch({
      ...(chromiumFound === undefined ? {} : { executablePath: chromiumFound }),
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
    return new Dashboard(cluster, browser);
  }

  private constructor(cluster: ProcessCluster, browser: Browser) {
    this.cluster = cluster;
    this.#browser = browser;
    this.client = createClient({ masters: cluster.urls, token: cluster.token });
  }

  /** A page in a browser of its own that nobody has logged in. */
  async stranger({ dark = false, width = 1440 }: Look = {}): Promise<Page> {
    const context = await this.#browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: dark ? "dark" : "light",
      // axe is put into the page by the test; the page itself may not load it.
      bypassCSP: false,
    });
    this.#contexts.push(context);
    const page = await context.newPage();
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => {
      const text = message.text();
      const isAnswer = text.startsWith("Failed to load resource");
      if (message.type() === "error" && !isAnswer) this.complaints.push(text);
    });
    page.on("response", async (response) => {
      // A master may be older than the page: what it does not know the page makes itself.
      if (response.status() < 400 || response.status() === 404) return;
      const text = await response.text().catch(() => "");
      this.complaints.push(`${response.status()} ${new URL(response.url()).pathname} ${text}`);
    });
    return page;
  }

  /** A page that is logged in, on the Overview. */
  async page(look: Look = {}): Promise<Page> {
    const page = await this.stranger(look);
    const { url } = await this.client.loginCode();
    await page.goto(url);
    await page.waitForURL((at) => at.pathname === "/");
    await page.getByRole("navigation").waitFor();
    return page;
  }

  /** A job of commands; waits until it has ended unless told not to. */
  async job(script: string, more: { labels?: Record<string, string>; tasks?: number } = {}) {
    const { labels = {}, tasks = 1 } = more;
    const code = { kind: "command" as const, argv: ["sh", "-c", script] };
    const inputs = Array.from({ length: tasks }, (_, n) => n);
    return this.client.submit({ spec: { task: "sh", code, labels }, inputs });
  }

  async ended(job: string): Promise<void> {
    await this.client.job(job, { waitMs: 60_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.cluster[Symbol.asyncDispose]();
  }
}

/** What axe finds wrong with the page as it is now, a line each. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const run = (globalThis as unknown as { axe: Axe }).axe.run(document, {
      runOnly: { type: "tag", values: tags },
    });
    return (await run).violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`,
    );
  });
}

interface Axe {
  run(
    root: Document,
    options: object,
  ): Promise<{
    readonly violations: readonly {
      readonly id: string;
      readonly nodes: readonly { readonly target: readonly string[] }[];
    }[];
  }>;
}

// Lists over several pages, and saying so where a part is shown (P8).

import type { Page } from "../client/index.ts";
import type { Cli } from "./cli.ts";
import { count } from "./format.ts";

/** The largest page a master gives. */
const pageMax = 1_000;

interface PageQuery {
  readonly limit: number;
  readonly cursor?: string;
}

/** Up to `limit` items, over as many pages as that takes. */
export async function take<Item>(
  limit: number,
  page: (query: PageQuery) => Promise<Page<Item>>,
): Promise<Page<Item>> {
  const items: Item[] = [];
  for (let cursor: string | null = null; ;) {
    const size = Math.min(pageMax, limit - items.length);
    const got: Page<Item> = await page({ limit: size, ...(cursor === null ? {} : { cursor }) });
    items.push(...got.items);
    cursor = got.nextCursor;
    if (cursor === null || items.length >= limit || got.items.length === 0) {
      return { items, total: got.total, nextCursor: cursor };
    }
  }
}

/** Tells that there is more than is shown. */
export function sayPart(cli: Cli, page: Page<unknown>, what: string, how: string): void {
  if (page.items.length >= page.total) return;
  const shown = `${count(page.items.length)} of ${count(page.total)} ${what}`;
  cli.say(cli.err.dim(`${shown} are shown; ${how} shows more.`));
}

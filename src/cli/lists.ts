// Lists over several pages, and saying so where a part is shown (P8).

import type { Command } from "commander";
import type { Page } from "../client/index.ts";
import { isTerm } from "../protocol/filter.ts";
import type { Cli } from "./cli.ts";
import { count } from "./format.ts";
import { pairs } from "./options.ts";

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
      const partial = got.partial === undefined ? {} : { partial: got.partial };
      return { items, total: got.total, nextCursor: cursor, ...partial };
    }
  }
}

/** Tells that there is more than is shown. */
export function sayPart(cli: Cli, page: Page<unknown>, what: string, how: string): void {
  if (page.partial !== undefined) cli.say(cli.err.dim(page.partial));
  if (page.items.length >= page.total) return;
  const shown = `${count(page.items.length)} of ${count(page.total)} ${what}`;
  cli.say(cli.err.dim(`${shown} are shown; ${how} shows more.`));
}

export interface FilterOptions {
  readonly state?: readonly string[];
  readonly queue?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly worker?: string;
  readonly pool?: string;
  readonly filter?: string;
}

const filterHelp = "terms: state:failed !queue:night label.team=x created>2h";

export function filterOption(command: Command): Command {
  return command.option("--filter <terms>", filterHelp);
}

export function labelOption(command: Command, text: string): Command {
  return command.option("--label <name=value>", text, pairs);
}

/** What the options of a list ask for, as one filter; nothing when they ask for everything. */
export function filterQuery(options: FilterOptions): { readonly filter?: string } {
  const { state, queue, worker, pool, label = {}, filter } = options;
  const fields = { queue, worker, pool };
  const terms = [
    state === undefined ? [] : isTerm("state", ...state),
    Object.entries(fields).map(([name, value]) => (value === undefined ? [] : isTerm(name, value))),
    Object.entries(label).map(([name, value]) => isTerm(`label.${name}`, value)),
    filter ?? [],
  ].flat(2);
  return terms.length === 0 ? {} : { filter: terms.join(" ") };
}

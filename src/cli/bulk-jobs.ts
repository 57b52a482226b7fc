// One change to all jobs that fit a filter: the count is looked at first, told, and holds for the change.

import type { BulkView } from "../client/index.ts";
import type { Cli } from "./cli.ts";
import { usageError } from "./errors.ts";
import { exitCodes } from "./exit-codes.ts";
import { plural, shortId } from "./format.ts";

export interface BulkOptions {
  readonly filter?: string;
  readonly expect?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean | undefined;
}

interface Change {
  /** "cancel", "cancelled" */
  readonly verb: string;
  readonly done: string;
  readonly ask: (body: {
    filter: string;
    expectedCount?: number;
    dryRun: boolean;
  }) => Promise<BulkView>;
}

/** Ids or a filter: one of them. */
export function checkWhich(words: readonly string[], { filter, expect }: BulkOptions): void {
  const example = "Give ids, or --filter 'state:failed label.team=x'.";
  if (words.length === 0 && filter === undefined) throw usageError("Which jobs?", example);
  if (words.length > 0 && filter !== undefined) {
    throw usageError("Ids and --filter do not go together.", example);
  }
  if (expect !== undefined && filter === undefined) {
    throw usageError("--expect is for --filter.", example);
  }
}

export async function changeFitting(
  filter: string,
  options: BulkOptions,
  { verb, done, ask }: Change,
  cli: Cli,
): Promise<void> {
  const { expect, dryRun = false, json = false } = options;
  const expected = expect === undefined ? {} : { expectedCount: expect };
  const plan = await ask({ filter, ...expected, dryRun: true });
  const jobs = plural(plan.matched, "job");
  if (dryRun || plan.matched === 0) {
    if (json) return cli.json(plan);
    if (plan.matched === 0) return cli.say(`No job fits that can be ${done}.`);
    for (const { id } of plan.items) cli.print(`${id}\n`);
    return cli.say(`Would ${verb} ${jobs}.`);
  }
  const view = await ask({ filter, expectedCount: plan.matched, dryRun: false });
  const { ok, fail } = cli.err.symbols;
  if (view.done < view.matched) cli.exitCode = view.done > 0 ? exitCodes.partly : exitCodes.failed;
  if (json) return cli.json(view);
  for (const item of view.items) {
    if (item.job !== undefined) cli.print(`${item.job}\n`);
    if (!item.ok) cli.say(`${fail} ${shortId(item.id)}: ${item.message ?? item.code ?? ""}`);
  }
  if (view.done > 0) cli.say(`${ok} ${plural(view.done, "job")} ${done}.`);
}

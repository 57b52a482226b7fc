// skein master list | step-down: who leads, and giving the lead away.

import type { Command } from "commander";
import type { Client, MastersView } from "../../client/index.ts";
import { delay } from "../../lib/abort.ts";
import { SkeinError } from "../../protocol/errors.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { ago, count, duration } from "../format.ts";
import { fromLeader } from "../from-leader.ts";
import { clusterOptions, described, jsonOption } from "../options.ts";
import { state, table } from "../render.ts";
import { nextSteps } from "../views.ts";

type Master = MastersView["items"][number];

/** An election that takes longer than this has failed. */
const electionMs = 30_000;
const lookMs = 50;
/** Clocks that are further apart than this are told (T1). */
const clockMsMax = 1_000;

export function defineMasterList(list: Command, cli: Cli): void {
  described(list, "Masters: who leads, who stands by and how far behind.", [
    "skein master list",
    "skein master list --json | jq -r '.items[] | select(.state == \"leading\") | .id'",
  ]);
  clusterOptions(jsonOption(list)).action(async (options: ClusterOptions) => {
    const client = await cli.client(options);
    const view = await fromLeader(cli, (how) => client.masters(how));
    if (options.json) return cli.json(view);
    cli.print(masterTable(view.items, cli));
    cli.say(view.survives);
  });
}

function masterTable(masters: readonly Master[], cli: Cli): string {
  const style = cli.out;
  const n = (value: number | null) => (value === null ? "" : count(value));
  const clock = ({ clockMs }: Master) => {
    if (clockMs === null) return "";
    const text = `${clockMs > 0 ? "+" : ""}${Math.round(clockMs)} ms`;
    return Math.abs(clockMs) > clockMsMax ? style.red(text) : text;
  };
  const since = (one: Master) => (one.since === null ? "" : ago(one.since, cli.io.now()));
  return table<Master>(
    [
      { title: "MASTER", cell: ({ id }) => id, shrinks: true },
      { title: "STATE", cell: (one) => state(one.state, style) },
      { title: "ADDRESS", cell: ({ address }) => address, shrinks: true },
      { title: "TERM", cell: ({ term }) => n(term), align: "right" },
      { title: "ELECTED", cell: since },
      { title: "APPLIED", cell: ({ applied }) => n(applied), align: "right" },
      { title: "BEHIND", cell: ({ lag }) => n(lag), align: "right" },
      { title: "SNAPSHOT", cell: ({ snapshot }) => n(snapshot), align: "right" },
      { title: "CLOCK", cell: clock, align: "right" },
      { title: "VERSION", cell: ({ version }) => version ?? "" },
    ],
    masters,
    { style, width: cli.io.stdout.columns },
  );
}

interface StepDownOptions extends ClusterOptions {
  readonly to?: string;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
}

export function defineStepDown(stepDown: Command, cli: Cli): void {
  described(stepDown, "Let the leader give the lead to a master that stands by.", [
    "skein master step-down --wait",
    "skein master step-down --to m2",
  ]);
  clusterOptions(
    jsonOption(
      stepDown
        .option("--to <id>", "to this one; to whichever is soonest unless set")
        .option("--wait", "until another one leads")
        .option("-n, --dry-run", "say what would be done, and do nothing"),
    ),
  ).action(async (options: StepDownOptions) => {
    const client = await cli.client(options);
    const { signal } = cli.io;
    const before = await client.masters({ signal, strong: true });
    const { to } = options;
    if (options.dryRun) return sayPlan(before, options, cli);
    const begin = performance.now();
    const said = await client.stepDown({ term: before.term, ...(to && { to }) }, { signal });
    if (!options.json) sayDone(said.id, to, options, cli);
    const next = options.wait ? await untilElected(client, before.term, cli) : undefined;
    if (options.json) return cli.json({ ...said, leader: next?.id ?? null });
    if (!next) return;
    const ms = duration(performance.now() - begin);
    cli.say(`${cli.err.symbols.ok} ${next.id} leads in term ${next.term}, after ${ms}.`);
  });
}

function sayPlan(view: MastersView, { to, json }: StepDownOptions, cli: Cli): void {
  const leader = leaderIn(view);
  if (json)
    return cli.json({ dryRun: true, id: leader?.id ?? null, term: view.term, to: to ?? null });
  const standing = view.items.filter((one) => one.state === "standing by").map(({ id }) => id);
  const any = standing.length > 1 ? `one of ${standing.join(", ")}` : standing[0];
  const whom = to ?? any ?? "nobody: none stands by";
  cli.say(`${leader?.id ?? "Nobody"} would give the lead to ${whom}.`);
}

function sayDone(id: string, to: string | undefined, { wait }: StepDownOptions, cli: Cli): void {
  const { ok } = cli.err.symbols;
  const text = `${ok} ${id} gives the lead to ${to ?? "whoever is soonest"}.`;
  if (wait) cli.say(text);
  else cli.sayNext(text, nextSteps([["see", "skein master list"]]));
}

async function untilElected(client: Client, term: number, cli: Cli): Promise<Master> {
  const { signal } = cli.io;
  const end = performance.now() + electionMs;
  while (performance.now() < end) {
    const view = await client.masters({ signal });
    const leader = leaderIn(view);
    if (leader && view.term > term) return leader;
    cli.progress(`term ${term} has ended; nobody leads yet`);
    await delay(lookMs, signal);
  }
  cli.progress("");
  throw new SkeinError("wait_expired", `Nobody leads after ${electionMs / 1_000} s.`, {
    hint: "Look at the masters' logs; `skein master list` shows who lives.",
  });
}

function leaderIn({ items }: MastersView): Master | undefined {
  return items.find((one) => one.state === "leading");
}

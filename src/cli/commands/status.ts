// skein status: the verdict first, numbers second.

import type { Command } from "commander";
import type { StatusView } from "../../client/index.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { ago, bytes, count, plural } from "../format.ts";
import { fromLeader } from "../from-leader.ts";
import { clusterOptions, described, jsonOption } from "../options.ts";
import { fields } from "../render.ts";
import { countsText, nextSteps } from "../views.ts";

export function defineStatus(status: Command, cli: Cli): void {
  described(status, "The cluster in one screen.", ["skein status", "skein status --json"]);
  clusterOptions(jsonOption(status)).action(async (options: ClusterOptions) => {
    const client = await cli.client(options);
    const view = await fromLeader(cli, (how) => client.status(how));
    if (options.json) return cli.json(view);
    cli.print(statusPage(view, cli));
  });
}

function statusPage(view: StatusView, cli: Cli): string {
  const style = cli.out;
  const { journal, master, workers, slots, jobs } = view;
  const ill = Object.entries({
    suspect: workers.suspect,
    draining: workers.draining,
    lost: workers.lost,
  }).flatMap(([word, n]) => (n > 0 ? [style.yellow(`${n} ${word}`)] : []));
  const snapshot = view.snapshot === null ? "none yet" : `at ${count(view.snapshot.index)}`;
  const batches = plural(journal.index, "batch", "batches");
  const page = fields(
    [
      ["workers", [`${workers.active} active`, ...ill].join(", ")],
      ["cpu", `${slots.used} of ${slots.cpu} in use`],
      ["jobs", `${count(jobs.unfinished)} unfinished, ${count(jobs.finished)} finished`],
      ["tasks", countsText(view.tasks, style)],
      ["leader", leaderText(view, cli)],
      ["masters", mastersText(view, cli)],
      ["version", `${master.version} (node ${master.node}, pid ${master.pid})`],
      ["journal", `${journal.engine}, ${batches}, ${bytes(journal.bytes)}, snapshot ${snapshot}`],
      ["memory", `${bytes(view.stateBytes)} of state`],
      ["survives", view.survives],
    ],
    style,
  );
  return `${style.bold(view.verdict)}\n\n${page}\n${nextSteps([
    ["workers", "skein worker list"],
    ["jobs", "skein job list"],
  ])}\n`;
}

function leaderText({ leader }: StatusView, cli: Cli): string {
  if (!leader) return cli.out.red("nobody leads");
  const { id, address, term, since } = leader;
  return `${id} at ${address}, in term ${term} since ${ago(since, cli.io.now())}`;
}

/** The others; of one master alone there is nothing to say, unless it is not the leader itself. */
function mastersText({ master, masters }: StatusView, cli: Cli): string {
  const { standingBy, away, unknown } = masters;
  const parts = [
    master.leads ? "" : `this is ${master.id}, which stands by in term ${master.term}`,
    standingBy.length > 0
      ? `${standingBy.join(", ")} ${standingBy.length > 1 ? "stand" : "stands"} by`
      : "",
    away.length > 0 ? cli.out.yellow(`${away.join(", ")} away`) : "",
    unknown.length > 0 ? `of ${unknown.join(", ")} it knows nothing` : "",
  ];
  return parts.filter((part) => part !== "").join("; ");
}

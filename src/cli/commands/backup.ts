// skein backup FILE, skein restore FILE --data DIR.

import { resolve } from "node:path";
import type { Command } from "commander";
import { SkeinError } from "../../protocol/errors.ts";
import type { Cli } from "../cli.ts";
import { findCluster } from "../connection.ts";
import type { ClusterOptions } from "../connection.ts";
import { bytes, count, homePath, plural } from "../format.ts";
import { clusterOptions, described, jsonOption, showOptions } from "../options.ts";
import { nextSteps } from "../views.ts";

export function defineBackup(backup: Command, cli: Cli): void {
  described(backup, "Pack the whole cluster into a file, while it works on.", [
    "skein backup skein-2026-11-21.backup",
  ]);
  clusterOptions(jsonOption(backup.argument("<file>", "where to"))).action(
    async (path: string, options: ClusterOptions) => {
      const client = await cli.client(options);
      const { journal } = await client.status({ signal: cli.io.signal });
      const { masters, token } = await findCluster(options, cli.io.env);
      const { items } = await client.masters({ signal: cli.io.signal });
      const known = items.filter(({ state }) => state !== "away").map(({ address }) => address);
      const { backUp } = await import("../../master/backup/backup.ts");
      const file = resolve(path);
      const made = await backUp({
        file,
        addresses: [...new Set([...masters, ...known])],
        token,
        journalId: journal.id,
        onStep: (what) => cli.progress(`backup: ${what}`),
      });
      cli.progress("");
      if (options.json) return cli.json({ file, ...made });
      const { ok, warn } = cli.err.symbols;
      const what = `${bytes(made.bytes)}, up to batch ${count(made.index)}`;
      const place = homePath(file, cli.io.env["HOME"]);
      const text = `${cli.err.green(ok)} ${place}: ${what}, ${plural(made.payloads, "payload")}.`;
      cli.sayNext(text, nextSteps([["restore", `skein restore ${path} --data DIR`]]));
      if (made.lacks.length === 0) return;
      cli.say(`${cli.err.yellow(warn)} ${plural(made.lacks.length, "payload")} no master had.`);
    },
  );
}

interface RestoreOptions {
  readonly data?: string;
  readonly id: string;
  readonly json?: boolean;
}

export function defineRestore(restore: Command, cli: Cli): void {
  described(restore, "Make a new data directory from a backup, under a new journal id.", [
    "skein restore skein-2026-11-21.backup --data /var/lib/skein-new",
  ]);
  jsonOption(restore.argument("<file>", "what `skein backup` wrote"))
    .option("--data <dir>", "the new data directory; it must not exist, or be empty")
    .option("--id <name>", "of the master that will start there first", "m1");
  showOptions(restore).action(async (path: string, { data, id, json }: RestoreOptions) => {
    if (data === undefined) {
      throw new SkeinError("usage", "Where to is not said.", { hint: "Name it with --data DIR." });
    }
    const { restore: run } = await import("../../master/backup/restore.ts");
    const dataDir = resolve(data);
    const onStep = (what: string) => cli.progress(`restore: ${what}`);
    const made = await run({ file: resolve(path), dataDir, id, onStep });
    cli.progress("");
    if (json) return cli.json({ data: dataDir, ...made });
    const { green, symbols } = cli.err;
    const { from, journalId, jobs } = made;
    const what = `batch ${count(from.index)} of journal ${from.journalId}, ${plural(jobs, "job")}`;
    cli.say(`${green(symbols.ok)} ${homePath(dataDir, cli.io.env["HOME"])}: ${what}.`);
    cli.say(`  Its journal is ${journalId}: workers of the old one are refused, start new ones.`);
    const start = id === "m1" ? "" : ` --id ${id}`;
    cli.say(`  ${nextSteps([["start", `skein master --data ${data}${start}`]])}`);
  });
}

// skein worker cordon|uncordon|remove

import type { Command } from "commander";
import type { Client } from "../../client/index.ts";
import { forEach } from "../bulk.ts";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { plural } from "../format.ts";
import { clusterOptions, described, dryRunOption, jsonOption } from "../options.ts";

interface ChangeOptions extends ClusterOptions {
  readonly dryRun?: boolean;
  readonly reason?: string;
}

interface Change {
  readonly would: string;
  readonly done: string;
  readonly change: (client: Client, id: string, options: ChangeOptions) => Promise<unknown>;
}

export function defineCordon(command: Command, cli: Cli): void {
  described(command, "Let a worker take nothing new; what runs goes on, and the worker stays.", [
    'skein worker cordon w4 --reason "driver upgrade"',
  ]);
  define(command.option("--reason <text>", "kept in the master's log"), cli, {
    would: "Would let it take nothing new",
    done: "takes nothing new",
    change: (client, id, { reason }) =>
      client.cordonWorker(id, reason === undefined ? {} : { reason }, { signal: cli.io.signal }),
  });
}

export function defineUncordon(command: Command, cli: Cli): void {
  described(command, "Let a worker take work again.", ["skein worker uncordon w4"]);
  define(command, cli, {
    would: "Would let it take work again",
    done: "takes work again",
    change: (client, id) => client.cordonWorker(id, { undo: true }, { signal: cli.io.signal }),
  });
}

export function defineRemove(command: Command, cli: Cli): void {
  described(command, "Forget a worker that is lost or gone.", ["skein worker remove w4"]);
  define(command, cli, {
    would: "Would forget it",
    done: "is forgotten",
    change: async (client, id) => {
      await client.forgetWorker(id, { signal: cli.io.signal });
      return { id, done: true };
    },
  });
}

function define(command: Command, cli: Cli, { would, done, change }: Change): void {
  clusterOptions(jsonOption(dryRunOption(command.argument("<worker...>")))).action(
    async (ids: readonly string[], options: ChangeOptions) => {
      const client = await cli.client(options);
      const { signal } = cli.io;
      const items = await forEach(ids, cli, async (id) => {
        if (options.dryRun) {
          const worker = await client.worker(id, { signal });
          const has = `worker ${id} is ${worker.state}, ${plural(worker.running, "task")} running`;
          if (!options.json) cli.say(`${would}: ${has}.`);
          return worker;
        }
        const changed = await change(client, id, options);
        if (!options.json) cli.say(`${cli.err.symbols.ok} Worker ${id} ${done}.`);
        return changed;
      });
      if (options.json) cli.json({ dryRun: options.dryRun ?? false, items });
    },
  );
}

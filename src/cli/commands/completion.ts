// skein completion SHELL, and what its scripts call: skein __complete -- WORDS…

import { Argument } from "commander";
import type { Command } from "commander";
import { createClient, fetchTransport } from "../../client/index.ts";
import type { Client } from "../../client/index.ts";
import type { Cli } from "../cli.ts";
import { candidatesFor } from "../completion/candidates.ts";
import type { Candidate, Kind, Place } from "../completion/candidates.ts";
import { filesMark, scripts, shells } from "../completion/scripts.ts";
import type { Shell } from "../completion/scripts.ts";
import { findCluster } from "../connection.ts";
import { plural, shortId } from "../format.ts";
import { described, showOptions } from "../options.ts";

export function defineCompletion(completion: Command, cli: Cli): void {
  described(
    completion,
    "Commands, options and ids at the TAB key: a script for your shell's start-up file.",
    [
      'eval "$(skein completion bash)"        in ~/.bashrc',
      'eval "$(skein completion zsh)"         in ~/.zshrc, after compinit',
      "skein completion fish | source         in ~/.config/fish/config.fish",
    ],
  );
  const shell = new Argument("<shell>", "which one").choices(shells);
  showOptions(completion)
    .addArgument(shell)
    .action((name: Shell) => void cli.print(scripts[name]));
}

/** Who presses TAB does not wait longer for the cluster; what is known without it is shown then. */
const askMs = 280;
const itemsMax = 200;

/** Never fails, never says anything: whatever goes wrong, there is nothing to offer. */
export function defineComplete(
  complete: Command,
  cli: Cli,
  buildProgram: (words: readonly string[]) => Promise<Command>,
): void {
  complete
    .passThroughOptions()
    .argument("[words...]")
    .action(async (words: readonly string[]) => {
      const { items, kind, files, place } = candidatesFor(await buildProgram(words), words);
      const named = kind ? await namesOf(kind, words.at(-1) ?? "", place, cli) : [];
      const lines = [...items, ...named].map(
        ({ value, text }) => `${bare(value)}\t${bare(text)}\n`,
      );
      cli.print([...lines, files ? `${filesMark}\n` : ""].join(""));
    });
}

/** One line, and nothing that a terminal would obey. */
function bare(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, " ");
}

async function namesOf(kind: Kind, typed: string, place: Place, cli: Cli): Promise<Candidate[]> {
  try {
    const { env, signal: end } = cli.io;
    const { masters, token } = await findCluster(place, env);
    const client = createClient({ masters, token, retryMs: 0, transport: fetchTransport });
    // For tests, on machines that are busy: nothing promises that it stays.
    const late = AbortSignal.timeout(Number(env["SKEIN_COMPLETE_MS"]) || askMs);
    const all = await asked[kind](client, AbortSignal.any([end, late]));
    return all.filter(({ value }) => value.startsWith(typed.toLowerCase()));
  } catch {
    return [];
  }
}

const asked: Readonly<
  Record<Kind, (client: Client, signal: AbortSignal) => Promise<readonly Candidate[]>>
> = {
  jobs: async (client, signal) => {
    const { items } = await client.jobs({ limit: itemsMax }, { signal });
    return items.map(({ id, task, state }) => ({ value: shortId(id), text: `${task}, ${state}` }));
  },
  workers: async (client, signal) => {
    const { items } = await client.workers({ limit: itemsMax }, { signal });
    return items.map(({ id, state, hostname }) => ({
      value: id,
      text: `${state}, on ${hostname}`,
    }));
  },
  queues: async (client, signal) => {
    const { items } = await client.queues({ limit: itemsMax }, { signal });
    return items.map(({ name, waiting }) => ({
      value: name,
      text: `${plural(waiting, "task")} waiting`,
    }));
  },
};

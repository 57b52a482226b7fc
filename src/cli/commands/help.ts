// skein help [TOPIC]: what --help says, and pages on what no single command owns.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { usageError } from "../errors.ts";
import { exitCodeTexts } from "../exit-codes.ts";
import { described, showOptions } from "../options.ts";
import { fields } from "../render.ts";
import type { Style } from "../style.ts";

const topics: Readonly<Record<string, (style: Style) => string>> = {
  "exit-codes": exitCodePage,
  environment: environmentPage,
};

export function defineHelp(help: Command, cli: Cli): void {
  described(help, "Help on a command, or on a topic: exit-codes, environment.", [
    "skein help job",
    "skein help exit-codes",
  ]);
  showOptions(help)
    .argument("[topic...]", "a command, or a topic")
    .action((words: readonly string[]) => {
      const page = topics[words.join(" ")];
      if (page) return void cli.print(page(cli.out));
      let command = help.parent ?? help;
      for (const word of words) {
        const child = command.commands.find((one) => one.name() === word);
        if (!child) {
          throw usageError(
            `There is no help on "${words.join(" ")}".`,
            `Topics: ${Object.keys(topics).join(", ")}, and every command of \`skein --help\`.`,
          );
        }
        command = child;
      }
      command.outputHelp();
    });
}

function exitCodePage(style: Style): string {
  const pairs = exitCodeTexts.map(([code, text]) => [String(code), text] as const);
  return `${style.bold("Exit codes")}\n${fields(pairs, style)}`;
}

function environmentPage(style: Style): string {
  const pairs = [
    ["SKEIN_URL", "addresses of masters, with commas; else the data directory says"],
    ["SKEIN_TOKEN", "the cluster's token: for CI; a file is safer (--token-file)"],
    ["SKEIN_DATA", "data directory; else $XDG_STATE_HOME/skein or ~/.local/state/skein"],
    ["NO_COLOR", "no colours; also SKEIN_NO_COLOR, TERM=dumb, --no-color"],
    ["FORCE_COLOR", "colours even into a file or pipe"],
  ] as const;
  return `${style.bold("Environment")}\n${fields(pairs, style)}\nFlags win over the environment.\n`;
}

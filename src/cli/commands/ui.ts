// skein ui: the dashboard, logged in by a code that is good once and for a minute.

import { spawn } from "node:child_process";
import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import type { Io } from "../io.ts";
import { clusterOptions, described, jsonOption } from "../options.ts";

interface UiOptions extends ClusterOptions {
  readonly open: boolean;
}

export function defineUi(ui: Command, cli: Cli): void {
  described(ui, "The dashboard, in a browser. The address it prints logs in once, for a minute.", [
    "skein ui",
    "skein ui --no-open              only print the address",
  ]);
  clusterOptions(jsonOption(ui))
    .option("--no-open", "do not open a browser")
    .action(async (options: UiOptions) => {
      const client = await cli.client(options);
      const { url, expires } = await client.loginCode();
      if (options.json) return cli.json({ url, expires });
      cli.print(`${url}\n`);
      const opened = options.open && (await openBrowser(url, cli.io.env));
      const where = opened ? "Opened in your browser." : "Open it in a browser of this machine.";
      cli.say(cli.err.dim(`${where} It logs in once, within a minute.`));
    });
}

/** Whether there was a program to open it with. */
async function openBrowser(url: string, env: Io["env"]): Promise<boolean> {
  const [command, ...args] = opener(env);
  if (command === undefined) return false;
  return new Promise((resolve) => {
    const child = spawn(command, [...args, url], { stdio: "ignore", detached: true });
    child.once("error", () => resolve(false));
    child.once("spawn", () => {
      child.unref();
      resolve(true);
    });
  });
}

function opener(env: Io["env"]): readonly string[] {
  if (process.platform === "darwin") return ["open"];
  if (process.platform === "win32") return ["rundll32", "url.dll,FileProtocolHandler"];
  return env["DISPLAY"] || env["WAYLAND_DISPLAY"] ? ["xdg-open"] : [];
}

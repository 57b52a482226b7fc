// skein job report JOB FILE.html: a job as one page that can be sent to anyone.

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import type { ClusterOptions } from "../connection.ts";
import { bytes, homePath, plural } from "../format.ts";
import { clusterOptions, described, jobArgument, jsonOption } from "../options.ts";

export function defineReport(report: Command, cli: Cli): void {
  described(report, "A job as one HTML file: opens anywhere, needs nothing else.", [
    "skein job report 4f2a night.html",
    "skein job report 4f2a - | ssh host 'cat > night.html'",
  ]);
  clusterOptions(
    jsonOption(report)
      .argument("<job>", "id, or the first digits of one", jobArgument)
      .argument("<file>", 'where to; "-" for stdout'),
  ).action(async (id: string, path: string, options: ClusterOptions) => {
    const client = await cli.client(options);
    const { gather } = await import("../report/facts.ts");
    const { reportPage } = await import("../report/page.ts");
    const facts = await gather(client, id, () => cli.io.now(), cli.io.signal);
    const page = reportPage(facts);
    if (path === "-") {
      if (!cli.print(page)) await cli.io.stdout.drained();
      return;
    }
    const file = resolve(path);
    await writeFile(file, page);
    const size = Buffer.byteLength(page);
    if (options.json) return cli.json({ file, bytes: size, job: facts.job.id });
    const place = homePath(file, cli.io.env["HOME"]);
    const what = `${plural(facts.job.tasks, "task")}, ${bytes(size)}`;
    cli.say(`${cli.err.green(cli.err.symbols.ok)} ${place}: ${what}. Open it in a browser.`);
  });
}

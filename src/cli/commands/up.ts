// skein up: a cluster on this machine, in the foreground. It ends with Ctrl-C, and starts again
// where it was.

import { resolve } from "node:path";
import type { Command } from "commander";
import { defaultDataDir } from "../../sdk/locate.ts";
import { ChildFailed } from "../children.ts";
import type { Child } from "../children.ts";
import type { Cli } from "../cli.ts";
import { levelOption, ownedOption, untilToldToEnd } from "../daemon.ts";
import type { Told } from "../daemon.ts";
import { Quit } from "../errors.ts";
import { exitCodes } from "../exit-codes.ts";
import { homePath, plural } from "../format.ts";
import { drainMs, LaptopCluster } from "../laptop-cluster.ts";
import { described, jsonOption, showOptions, wholeNumber } from "../options.ts";
import { idOfHost, offer } from "../worker-offer.ts";

interface UpOptions {
  readonly logLevel: string;
  readonly data?: string;
  readonly port: number;
  readonly masters: number;
  readonly workers: number;
  readonly json?: boolean;
  readonly exitWithStdin?: boolean;
}

export function defineUp(up: Command, cli: Cli): void {
  described(up, "A cluster on this machine, in the foreground: masters and workers.", [
    "skein up",
    "skein up --masters 3            any two of them may die",
    "skein up --workers 2 --data /tmp/try --port 0",
  ]);
  jsonOption(up, "when ready, print one line of JSON")
    .option("--data <dir>", "where it keeps everything (SKEIN_DATA)")
    .option("--port <port>", "of the first master; 0: any free one", wholeNumber(0, 65_535), 7420)
    .option(
      "--masters <n>",
      "master processes: one leads, the others stand by",
      wholeNumber(1, 7),
      1,
    )
    .option("--workers <n>", "worker processes, each with its share", wholeNumber(0, 64), 1);
  showOptions(ownedOption(levelOption(up, "warn"))).action((options: UpOptions) =>
    new Up(cli, options).run(),
  );
}

class Up {
  readonly #cli: Cli;
  readonly #options: UpOptions;
  readonly #dataDir: string;
  readonly #cluster: LaptopCluster;
  #ending = false;

  constructor(cli: Cli, options: UpOptions) {
    this.#cli = cli;
    this.#options = options;
    this.#dataDir = resolve(options.data ?? defaultDataDir(cli.io.env));
    const host = idOfHost();
    const workers = Array.from({ length: options.workers }, (_, i) =>
      options.workers === 1 ? host : `${host}-${i + 1}`,
    );
    this.#cluster = new LaptopCluster({
      dataDir: this.#dataDir,
      port: options.port,
      masters: options.masters,
      workers,
      logLevel: options.logLevel,
      env: cli.io.env,
      onLine: (child, line) => {
        // While all of it ends, nobody need hear how one misses the other.
        if (this.#ending && / warn /.test(line)) return;
        cli.say(`${cli.err.dim(`${child} |`)} ${line}`);
      },
    });
  }

  async run(): Promise<void> {
    using told = untilToldToEnd(this.#cli, this.#options.exitWithStdin ?? false);
    const cluster = this.#cluster;
    try {
      const started = this.#start();
      const first = await Promise.race([started.then(() => "ready" as const), told.asked]);
      if (first === "ready") await Promise.race([told.asked, this.#allDead()]);
      // What was still starting is ended with the rest.
      else started.catch(() => {});
      await this.#end(told);
    } catch (error) {
      this.#ending = true;
      await cluster.endNow();
      // It has said itself what is wrong.
      if (error instanceof ChildFailed) throw new Quit(error.exit.code || exitCodes.failed);
      throw error;
    }
  }

  async #start(): Promise<void> {
    const cluster = this.#cluster;
    await cluster.mastersReady();
    this.#tellMasters((await cluster.leader())?.id);
    const { green, symbols } = this.#cli.err;
    cluster.startWorkers();
    const ready = await cluster.workersReady();
    for (const [i, { id, child }] of cluster.workers.entries()) {
      this.#note(`${green(symbols.ok)} worker ${id}   ${offer(ready[i]?.amounts ?? {})}`);
      this.#watch(child, [
        "Its tasks start elsewhere. Start it again:",
        `skein worker --data ${this.#dataDir} --id ${id}`,
      ]);
    }
    this.#tellReady();
  }

  #tellMasters(leader: string | undefined): void {
    const { masters } = this.#cluster;
    const { green, symbols } = this.#cli.err;
    const place = `(data: ${homePath(this.#dataDir, this.#cli.io.env["HOME"])})`;
    const room = Math.max(...masters.map(({ url }) => url.length));
    for (const [i, { id, url, child }] of masters.entries()) {
      const several = masters.length > 1;
      const name = several ? `master ${id} ready  ${url.padEnd(room)}` : `master ready  ${url}`;
      const role = several ? `   ${id === leader ? "leads" : "stands by"}` : "";
      const where = i === 0 ? `   ${place}` : "";
      this.#note(`${green(symbols.ok)} ${name}${role}${where}`);
      const only = `--data ${this.#dataDir}${several ? ` --id ${id}` : ""}`;
      this.#watch(child, [
        several
          ? "Another one leads, or will at once. Start it again:"
          : "Workers go on with what they have. Start it again:",
        `skein master ${only} --port ${new URL(url).port}`,
      ]);
    }
  }

  #tellReady(): void {
    const cluster = this.#cluster;
    if (!this.#options.json) {
      const steps = "First job:  skein run -- echo hi     See it:  skein ui     End:  Ctrl-C";
      return this.#note(steps);
    }
    const masters = cluster.masters.map(({ id, url, child }) => ({ id, url, pid: child.pid }));
    const pids = {
      master: masters[0]?.pid,
      workers: cluster.workers.map(({ id, child }) => ({ id, pid: child.pid })),
    };
    const { urls, token } = cluster;
    const ready = { ready: true, url: urls[0], token, data: this.#dataDir, masters, pids };
    this.#cli.print(`${JSON.stringify(ready)}\n`);
  }

  /** Nothing is started again silently: who dies is named, and how to start it again. */
  #watch(child: Child, advice: readonly string[]): void {
    void child.exited.then(({ how }) => {
      if (this.#ending) return;
      const { red, symbols } = this.#cli.err;
      this.#cli.say(`${red(symbols.fail)} The ${child.name} (pid ${child.pid}) ended: ${how}.`);
      this.#cli.say(`  ${advice.join("  ")}`);
    });
  }

  async #allDead(): Promise<void> {
    await Promise.all(this.#cluster.children.map(({ exited }) => exited));
    if (this.#ending) return;
    this.#cli.say("Nothing of the cluster is left.");
    throw new Quit(exitCodes.failed);
  }

  async #end(told: Told): Promise<void> {
    this.#ending = true;
    const cluster = this.#cluster;
    if (this.#options.exitWithStdin) return cluster.endNow();
    let forced = false;
    const force = told.insisted.then(async () => {
      forced = true;
      this.#cli.say("Forced: tasks that ran start anew when the cluster is up again.");
      await cluster.force();
    });
    await Promise.race([this.#endGently(), force]);
    if (forced) throw new Quit(exitCodes.interrupted);
    this.#note("Stopped. `skein up` goes on where it was.");
  }

  async #endGently(): Promise<void> {
    const running = await this.#cluster.running();
    const { symbols } = this.#cli.err;
    const wait = `waiting up to ${drainMs / 1_000} s, press Ctrl-C again to force`;
    this.#note(
      running > 0
        ? `\n${plural(running, "task")} running: ${wait}`
        : `\nStopping ${symbols.ellipsis}`,
    );
    await this.#cluster.end();
  }

  /** Messages of `up` are what it is for: on stdout, unless that is for programs. */
  #note(text: string): void {
    if (!this.#options.json) this.#cli.say(text);
  }
}

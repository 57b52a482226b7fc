// skein master: one master in this process. Its subcommands are in masters.ts.

import type { Command } from "commander";
import { startExport } from "../../lib/tracing.ts";
import { SkeinError } from "../../protocol/errors.ts";
import type { Cli } from "../cli.ts";
import { exitCodes } from "../exit-codes.ts";
import { isForPeople, logOptions, makeLog, ownedOption, untilToldToEnd } from "../daemon.ts";
import type { LogOptions } from "../daemon.ts";
import { idOfHost } from "../worker-offer.ts";
import { homePath } from "../format.ts";
import { collected, described, jsonOption, showOptions, wholeNumber } from "../options.ts";
import { defineMasterList, defineStepDown } from "./masters.ts";
import { defaultDataDir, parseMasters } from "../../sdk/locate.ts";

interface MasterOptions extends LogOptions {
  readonly data?: string;
  readonly host: string;
  readonly port: number;
  readonly advertise?: string;
  readonly id?: string;
  readonly journal?: string;
  readonly join?: readonly string[];
  readonly allowHost?: readonly string[];
  readonly strictQueues?: boolean;
  readonly json?: boolean;
  readonly exitWithStdin?: boolean;
}

export function defineMaster(master: Command, cli: Cli): void {
  described(master, "One master: it keeps the cluster's state and serves the API.", [
    "skein master",
    "skein master --data /var/lib/skein --log-format json",
    "skein master --id m2 --port 7421        a second one on this machine",
    "skein master list",
    "skein master step-down --wait",
  ]);
  ownedOption(
    logOptions(
      jsonOption(master, "when ready, print one line of JSON")
        .option("--data <dir>", "data directory: journal, token, archive (SKEIN_DATA)")
        .option(
          "--journal <url>",
          "the journal of all masters; SQLite in the data directory unless set",
        )
        .option(
          "--host <address>",
          "where it listens; loopback only, there is no TLS yet",
          "127.0.0.1",
        )
        .option("--port <port>", "0: any free one", wholeNumber(0, 65_535), 7420)
        .option("--advertise <url>", "what others dial instead: the address of a tunnel or proxy")
        .option("--id <name>", "its name among masters: m1, or the host's with --journal")
        .option(
          "--join <urls>",
          "addresses of other masters, to copy from; may be repeated",
          collected,
        )
        .option("--allow-host <name>", "a Host header to accept; may be repeated", collected)
        .option("--strict-queues", "refuse queues that do not exist"),
    ),
  );
  defineMasterList(master.command("list"), cli);
  defineStepDown(master.command("step-down"), cli);
  showOptions(master).action((options: MasterOptions) => runMaster(options, cli));
}

async function runMaster(options: MasterOptions, cli: Cli): Promise<void> {
  const dataDir = options.data ?? defaultDataDir(cli.io.env);
  const log = makeLog(options, cli);
  const people = isForPeople(options, cli);
  // Loaded here, so that --help comes at once.
  const { startMaster } = await import("../../master/master.ts");
  const settings = { ...settingsOf(options), ...testSettings(cli.io.env) };
  await using _tracing = startExport("skein-master", log);
  // Listens first: whoever reads "ready" may tell it to end at once.
  using told = untilToldToEnd(cli, options.exitWithStdin ?? false);
  // Asked once more, it does not finish what it has begun: the journal is safe at any moment.
  void told.insisted.then(() => process.exit(exitCodes.interrupted));
  const token = cli.io.env["SKEIN_TOKEN"] || undefined;
  const starting = startMaster({ dataDir, token, log, ...settings });
  await using master = await starting.catch((error: unknown) => {
    throw haltError(error);
  });
  const { url } = master;
  const id = idOf(options);
  if (options.json) cli.print(`${JSON.stringify({ ready: true, id, url, pid: process.pid })}\n`);
  else if (people) {
    const { green, symbols } = cli.err;
    const place = homePath(dataDir, cli.io.env["HOME"]);
    cli.say(`${green(symbols.ok)} master ready  ${url}   (data: ${place})`);
  }
  const reason = await Promise.race([master.closed, told.asked.then(() => undefined)]);
  if (reason !== undefined) {
    if (people) cli.say(`${cli.err.red("error:")} the master stopped: ${reason}`);
    cli.exitCode = exitCodes.internal;
    return;
  }
  await master.stop();
}

function settingsOf(options: MasterOptions) {
  const { host, port, journal: journalUrl, allowHost: allowHosts, strictQueues } = options;
  const id = idOf(options);
  const [advertise] = parseMasters(options.advertise ?? "");
  const join = options.join?.flatMap(parseMasters);
  return { host, port, advertise, id, journalUrl, join, allowHosts, strictQueues };
}

/** For tests that cannot wait: no option names them, and nothing promises that they stay. */
function testSettings(env: Cli["io"]["env"]) {
  const number = (name: string) => (env[name] ? Number(env[name]) : undefined);
  const batches = number("SKEIN_SNAPSHOT_BATCHES");
  return {
    lostAfterMs: number("SKEIN_LOST_AFTER_MS"),
    ...(batches === undefined ? {} : { snapshotEvery: { batches } }),
  };
}

/** Masters of one data directory are m1, m2 …; those of an engine elsewhere are known by their hosts. */
function idOf({ id, journal }: MasterOptions): string {
  return id ?? (journal === undefined ? "m1" : idOfHost());
}

/** A journal that must not be used is no bug of this program: its error says itself what to do. */
function haltError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === "EngineUnavailable") {
    const hint = "Start the engine, or correct --journal; nothing was changed.";
    return new SkeinError("stalled", error.message, { hint, cause: error });
  }
  if (error.name !== "JournalHalt") return error;
  return new SkeinError("data_unusable", error.message, { cause: error });
}

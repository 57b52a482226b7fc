// A worker process, wired: sessions with all masters, the agent, slots, the spool, the files.
//
// Read agent.ts for what a worker decides. This file owns only the order of start and end.

import { randomBytes } from "node:crypto";
import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { delay } from "../lib/abort.ts";
import type { Log } from "../lib/log.ts";
import { networkId } from "../lib/network-id.ts";
import { errorKinds, isErrorCode } from "../protocol/errors.ts";
import { protocolVersion, type MasterMessage } from "../protocol/messages.ts";
import type { Amounts, Labels, WorkerInfo } from "../protocol/model.ts";
import { Agent } from "./agent.ts";
import { Bundles } from "./bundles.ts";
import { checkOptions } from "./check-options.ts";
import { openExitPort } from "./exit-port.ts";
import { Inputs } from "./inputs.ts";
import { LogPush } from "./log-push.ts";
import { LogRequests } from "./log-requests.ts";
import { LogShipper } from "./log-shipper.ts";
import { detectAmounts, Machine } from "./machine.ts";
import { MasterHttp } from "./master-http.ts";
import { hashesIn } from "./reports.ts";
import { findResults, type FoundResult, Results } from "./results.ts";
import type { SessionNumber, WorkerIdentity } from "./session.ts";
import { Sessions } from "./sessions.ts";
import { createExecutor, type SlotExecutor } from "./slots/executor.ts";
import { FileSpool, type FoundSpool, loadSpool } from "./spool.ts";
import { lockDataDir } from "./worker-lock.ts";

export interface WorkerOptions {
  readonly id: string;
  readonly dataDir: string;
  /** http://host:port of at least one master. */
  readonly masters: readonly string[];
  readonly token?: string | undefined;
  readonly version: string;
  /** Added to and put before what is detected, in thousandths. */
  readonly amounts?: Amounts;
  readonly labels?: Labels;
  readonly pool?: string;
  readonly namespace?: string;
  readonly by?: string;
  /** Where the worker's own port listens; loopback unless told otherwise (P9). */
  readonly listenHost?: string;
  /** Processes at once, however little tasks need. */
  readonly slotsMax?: number;
  readonly log: Log;
}

export interface WorkerExit {
  /** 0 when it was drained or told to end; else that of the error table. */
  readonly code: number;
  readonly reason: string;
}

export interface RunningWorker extends AsyncDisposable {
  readonly info: WorkerInfo;
  readonly agent: Agent;
  /** Settles once, when nothing of this worker is left. */
  readonly closed: Promise<WorkerExit>;
  /** Takes nothing new, gives back what has not started, ends when the rest has. 0: no deadline. */
  drain(deadlineMs?: number): void;
  /** Ends now: what runs is killed and starts elsewhere. */
  stop(): void;
}

/** Time in which killed attempts are reported and recorded, before the end. */
const stopMs = 3_000;
/** Time in which a goodbye leaves the socket. */
const goodbyeMs = 200;
/** Time in which the last output is pushed to masters. */
const lastOutputMs = 2_000;

/**
 * Resolves when the worker is ready to dial; rejects when this data directory has a worker already.
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  checkOptions(options);
  const incarnation = randomBytes(8).toString("hex");
  const opened: AsyncDisposable[] = [];
  try {
    opened.push(lockDataDir(options.dataDir));
    const exitPort = await openExitPort(options.listenHost ?? "127.0.0.1");
    opened.push(exitPort);
    const file = join(options.dataDir, "spool.skein");
    const found = await loadSpool(file, options.log);
    const { id, version, log } = options;
    const identity = { id, incarnation, version, journalId: found.journalId };
    const journalId = (): string | null => identity.journalId;
    const spool = await FileSpool.open({ file, incarnation, journalId, found, log });
    opened.push(spool);
    const results = await findResults(resultsFolder(options), found.reports.flatMap(hashesIn));
    const info = infoOf(options, incarnation, exitPort.address);
    return new WorkerProcess(options, { identity, info, found, spool, results, opened });
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

function resultsFolder({ dataDir }: WorkerOptions): string {
  return join(dataDir, "results");
}

/** The first SIGTERM or SIGINT drains, the second ends at once. */
export function endOnSignals(worker: RunningWorker, deadlineMs = 0): void {
  let seen = 0;
  const onSignal = (): void => {
    if (++seen === 1) worker.drain(deadlineMs);
    else worker.stop();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  void worker.closed.finally(() => {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  });
}

interface Parts {
  readonly identity: WorkerIdentity;
  readonly info: WorkerInfo;
  readonly found: FoundSpool;
  readonly spool: FileSpool;
  readonly results: readonly FoundResult[];
  /** Closed in reverse order, last of all. */
  readonly opened: readonly AsyncDisposable[];
}

class WorkerProcess implements RunningWorker {
  readonly info: WorkerInfo;
  readonly agent: Agent;
  readonly closed: Promise<WorkerExit>;
  readonly #o: WorkerOptions;
  readonly #parts: Parts;
  readonly #sessions: Sessions;
  readonly #http: MasterHttp;
  readonly #executor: SlotExecutor;
  readonly #logs: LogRequests;
  readonly #logPush: LogPush;
  readonly #shipper: LogShipper;
  readonly #machine: Machine;
  readonly #results: Results;
  /** Ends all requests to masters. */
  readonly #ending = new AbortController();
  #resolveClosed: (exit: WorkerExit) => void = () => {};
  #exit: WorkerExit | undefined;

  constructor(options: WorkerOptions, parts: Parts) {
    this.#o = options;
    this.#parts = parts;
    this.info = parts.info;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const { token, log, masters, dataDir } = options;
    const urls = {
      leader: () => this.#sessions.urlOf(this.agent.leader),
      all: () => this.#sessions.urls(this.agent.leader),
    };
    this.#http = new MasterHttp({ urls, token, log });
    this.#machine = new Machine(dataDir, systemClock);
    const { signal } = this.#ending;
    const folder = resultsFolder(options);
    this.#results = new Results({ folder, http: this.#http, log, signal, found: parts.results });
    this.#executor = this.#createExecutor();
    this.#sessions = new Sessions({
      masters,
      token,
      log,
      identity: parts.identity,
      clock: systemClock,
      onMessages: (session, messages) => this.#receive(session, messages),
      onClosed: (session) => {
        this.agent.closed(session);
        this.#logs.closed(session);
      },
      onRefused: ({ code, message }) => {
        const exitCode = isErrorCode(code) ? errorKinds[code].exit : 1;
        const hint = isErrorCode(code) ? ` ${errorKinds[code].hint}` : "";
        this.#end({ code: exitCode, reason: `${code}: ${message.replace(/\.$/, "")}.${hint}` });
      },
    });
    this.#logs = new LogRequests({
      readLog: (query, onPart) =>
        this.#executor.readLog(query, onPart, (job, task, attempt) =>
          this.agent.holds(job, task, attempt),
        ),
      send: (session, chunks) => this.#sessions.send(session, chunks),
      bufferedBytes: (session) => this.#sessions.bufferedBytes(session),
    });
    this.#logPush = new LogPush(token);
    this.#shipper = this.#createShipper();
    this.agent = this.#createAgent();
    this.#executor.killLeftovers();
    void this.#shipper.start();
    void this.#machine.start();
    this.#sessions.start();
  }

  #createExecutor(): SlotExecutor {
    const { dataDir, id, log } = this.#o;
    const { signal } = this.#ending;
    const bundles = new Bundles({ folder: join(dataDir, "bundles"), http: this.#http, signal });
    return createExecutor({
      dataDir,
      workerId: id,
      log,
      bundlePath: (hash) => bundles.path(hash),
      storeResult: (source) => this.#results.store(source),
      forgetResults: (hashes) => this.#results.forget(hashes),
    });
  }

  #createShipper(): LogShipper {
    const { dataDir, id, log } = this.#o;
    return new LogShipper({
      dataDir,
      workerId: id,
      logs: this.#executor.logs,
      clock: systemClock,
      log,
      masters: () => this.#sessions.openUrls(this.agent.leader),
      push: this.#logPush,
    });
  }

  #createAgent(): Agent {
    const { log, slotsMax = slotsMaxDefault } = this.#o;
    const { found, spool } = this.#parts;
    return new Agent(
      { info: this.info, slotsMax, predecessor: found.reports },
      {
        clock: systemClock,
        executor: this.#executor,
        spool,
        results: this.#results,
        resolveInput: new Inputs(this.#http, log).resolve,
        log,
        send: (session, messages) => this.#sessions.send(session, messages),
        close: (session, reason) => this.#sessions.close(session, reason),
        defer: (fire) => void setImmediate(fire),
        machine: () => this.#machine.free(),
        onExit: (reason) => this.#end({ code: 0, reason }),
      },
    );
  }

  #receive(session: SessionNumber, messages: readonly MasterMessage[]): void {
    for (const message of messages) {
      if (message.kind === "logRequest" || message.kind === "logStop") {
        this.#logs.receive(session, message);
      }
    }
    this.agent.receive(session, messages);
  }

  drain(deadlineMs = 0): void {
    this.agent.leave("told to leave", deadlineMs);
  }

  stop(): void {
    this.agent.stop();
    systemClock.after(stopMs, () => this.agent.end());
  }

  /** What ends it first is its reason. */
  #end(exit: WorkerExit): void {
    if (this.#exit) return;
    this.#exit = exit;
    this.agent.end();
    void this.#close(exit);
  }

  async #close(exit: WorkerExit): Promise<void> {
    const { log } = this.#o;
    log[exit.code === 0 ? "info" : "error"]("the worker ends", { reason: exit.reason });
    this.#ending.abort(new Error("the worker ends"));
    this.#machine.stop();
    try {
      await this.#executor.close();
      await this.#shipper.close(lastOutputMs);
      this.#sessions.dialNoMore();
      this.agent.goodbye(exit.reason);
      await delay(goodbyeMs);
      this.#sessions.stop(exit.reason);
      await this.#http[Symbol.asyncDispose]();
      await this.#logPush[Symbol.asyncDispose]();
      await this.#results[Symbol.asyncDispose]();
      await closeAll(this.#parts.opened);
    } catch (error) {
      log.error("the worker did not end cleanly", { error });
    }
    this.#resolveClosed(exit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exit) this.stop();
    await this.closed;
  }
}

/**
 * Processes at once: enough for small shares of a processor, not enough to bring a machine down.
 */
const slotsMaxDefault = Math.max(32, availableParallelism() * 16);

function infoOf(options: WorkerOptions, incarnation: string, address: string): WorkerInfo {
  return {
    id: options.id,
    incarnation,
    version: options.version,
    protocol: protocolVersion,
    hostname: hostname(),
    pid: process.pid,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    address,
    network: networkId(),
    amounts: detectAmounts(options.amounts),
    labels: options.labels ?? {},
    pool: options.pool ?? "default",
    namespace: options.namespace ?? "default",
    by: options.by ?? "worker",
  };
}

async function closeAll(opened: readonly AsyncDisposable[]): Promise<void> {
  for (const resource of opened.toReversed()) await resource[Symbol.asyncDispose]();
}

/** What a round harms: real masters, workers and etcd members, each blow noted with its time. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { connect } from "skein";
import type { Skein } from "skein";
import type { MasterProcess } from "../processes/master-process.ts";
import {
  descendantsOf,
  describeProcess,
  endProcess,
  hasEnded,
  isAlive,
  ProcessCluster,
  until,
} from "../processes/process-cluster.ts";
import { EtcdCluster } from "../tools/etcd.ts";
import { JournalWatch } from "./facts.ts";
import { now } from "./history.ts";
import type { Harm } from "./history.ts";
import { Links } from "./links.ts";
import type { Gate, Rule } from "./links.ts";
import { setWhims, whimsEnv } from "./whims.ts";
import type { Whims } from "./whims.ts";

export type Engine = "sqlite" | "etcd";

export interface WorldOptions {
  readonly engine: Engine;
  readonly masters: number;
  readonly workers: number;
  /** Gates in front of everything, so that it can be partitioned. */
  readonly gated: boolean;
  /** Slow disks and wrong clocks can be had. */
  readonly whims: boolean;
  /** Added to the environment of all processes. */
  readonly env: Readonly<Record<string, string>>;
  /** What is going on, for people who watch. */
  readonly tell: (line: string) => void;
}

/** A worker that is to end gives what runs 10 s, and then a leader 30 s to take its last reports. */
const endMs = 60_000;

/** A killed worker's processes are gone after this long, on a machine that has other things to do. */
const goneMs = 10_000;

export class World implements AsyncDisposable {
  readonly harms: Harm[] = [];
  /** What the processes wrote to stderr. */
  readonly said: string[] = [];
  readonly #options: WorldOptions;
  readonly #pids = new Map<number, string>();
  readonly #links: Links;
  readonly #gates = new Map<string, Gate>();
  #cluster: ProcessCluster | undefined;
  #journal: JournalWatch | undefined;
  #etcd: EtcdCluster | undefined;

  private constructor(options: WorldOptions) {
    this.#options = options;
    this.#links = new Links(() => this.#pids);
  }

  static async start(options: WorldOptions): Promise<World> {
    const world = new World(options);
    try {
      await world.#start();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      const said = world.said.join("").slice(-8_000);
      throw new Error(`the cluster did not start: ${String(error)}\n${said}`, { cause: error });
    }
  }

  async #start(): Promise<void> {
    const { engine, masters, workers, gated, whims, env } = this.#options;
    if (engine === "etcd") this.#etcd = await EtcdCluster.start();
    if (gated) await this.#openGates();
    const endpoints = this.#etcd?.endpoints.map((endpoint, at) => {
      const gate = this.#gates.get(memberName(at));
      return gate ? `127.0.0.1:${gate.port}` : endpoint;
    });
    this.#cluster = await ProcessCluster.start({
      masters,
      workers,
      cpus: 2,
      ...(endpoints ? { journal: `etcd://${endpoints.join(",")}${prefix}` } : {}),
      ...(gated ? { advertise: (master) => this.#advertise(master) } : {}),
      spawned: (name, child) => this.#spawned(name, child),
      env: (dir) => {
        const folder = join(dir, "whims");
        mkdirSync(folder, { recursive: true });
        return { ...env, ...(whims ? whimsEnv(folder) : {}) };
      },
    });
    const file = join(this.cluster.dir, "journal.db");
    this.#journal = await JournalWatch.open(this.#etcd?.url(prefix) ?? `sqlite:${file}`);
  }

  #spawned(name: string, child: ChildProcess): void {
    this.#pids.set(child.pid ?? 0, name);
    child.stderr?.on("data", (text) => this.said.push(`${name} ${String(text)}`));
  }

  async #openGates(): Promise<void> {
    for (let n = 1; n <= this.#options.masters; n++) await this.#openGate(`m${n}`);
    for (const [at, endpoint] of (this.#etcd?.endpoints ?? []).entries()) {
      const gate = await this.#openGate(memberName(at));
      gate.aim(() => Number(new URL(`http://${endpoint}`).port));
    }
  }

  async #openGate(name: string): Promise<Gate> {
    const gate = await this.#links.gate(name);
    this.#gates.set(name, gate);
    return gate;
  }

  #advertise(master: MasterProcess): string {
    const gate = this.#gates.get(master.id);
    if (!gate) throw new Error(`there is no gate in front of ${master.id}`);
    // Known as soon as it listens: others may dial it before anybody asks for its address again.
    gate.aim(() => (master.url === "" ? 0 : Number(new URL(master.url).port)));
    return `http://127.0.0.1:${gate.port}`;
  }

  get cluster(): ProcessCluster {
    if (!this.#cluster) throw new Error("the cluster has not started");
    return this.#cluster;
  }

  get journal(): JournalWatch {
    if (!this.#journal) throw new Error("the journal is not open");
    return this.#journal;
  }

  get etcd(): EtcdCluster {
    if (!this.#etcd) throw new Error("this round has no etcd");
    return this.#etcd;
  }

  get masters(): readonly MasterProcess[] {
    return this.cluster.masters;
  }

  get workers(): readonly string[] {
    return Array.from({ length: this.#options.workers }, (_, i) => `w${i + 1}`);
  }

  get members(): readonly string[] {
    return this.#etcd?.endpoints.map((_, at) => memberName(at)) ?? [];
  }

  connect(retryMs: number): Promise<Skein> {
    return connect({ url: this.cluster.urls.join(","), token: this.cluster.token, retryMs });
  }

  note(harm: Omit<Harm, "at">): void {
    this.#noted({ ...harm, at: now() });
  }

  #noted(harm: Harm): void {
    this.harms.push(harm);
    this.#options.tell(`${harm.kind} ${harm.name} ${harm.flows ?? ""}`);
  }

  // ── masters ──────────────────────────────────────────────────────────────────────────────

  async killMaster(master: MasterProcess): Promise<void> {
    if (!master.lives) return;
    this.note({ kind: "killed", who: "master", ...processOf(master.id, master.child) });
    await master.kill();
    this.#gates.get(master.id)?.shut();
  }

  /** SIGTERM: it hands over if it leads, and ends. */
  async endMaster(master: MasterProcess): Promise<void> {
    if (!master.lives) return;
    await this.#end("master", master.id, master.child);
    this.#gates.get(master.id)?.shut();
  }

  /** The leader gives up its term, for another that is named or not. */
  async stepDown(from: MasterProcess, to?: string): Promise<void> {
    await using skein = await this.connect(5_000);
    const { client } = skein;
    const term = (await from.status())?.master.term;
    const asked = { ...(term === undefined ? {} : { term }), ...(to === undefined ? {} : { to }) };
    // Nobody may stand by just now, or another may lead already: then that is the blow.
    const given = await client.stepDown(asked).catch(() => undefined);
    const told = given ? { term: given.term, to: given.to } : {};
    this.note({ kind: "moved", who: "master", ...processOf(from.id, from.child), ...told });
  }

  pauseMaster(master: MasterProcess): void {
    this.note({ kind: "stopped", who: "master", ...processOf(master.id, master.child) });
    master.pause();
  }

  resumeMaster(master: MasterProcess): void {
    if (!master.lives) return;
    master.resume();
    this.note({ kind: "continued", who: "master", ...processOf(master.id, master.child) });
  }

  async startMaster(master: MasterProcess): Promise<void> {
    if (master.lives) return;
    await this.#gates.get(master.id)?.open();
    master.spawn();
    await master.answers();
  }

  // ── workers ──────────────────────────────────────────────────────────────────────────────

  /** SIGKILL; what it leaves behind must be gone soon after. */
  async killWorker(id: string): Promise<void> {
    const child = this.cluster.worker(id);
    if (hasEnded(child)) return;
    const { pid = 0 } = child;
    const doomed = descendantsOf(pid);
    const at = now();
    await this.cluster.killWorker(id);
    const survivors = await survivorsOf(doomed);
    this.#noted({ kind: "killed", who: "worker", name: id, pid, at, survivors });
  }

  /** SIGTERM: what runs may end, what waits is given back. */
  async endWorker(id: string): Promise<void> {
    const child = this.cluster.worker(id);
    if (!hasEnded(child)) await this.#end("worker", id, child);
  }

  pauseWorker(id: string): void {
    const child = this.cluster.worker(id);
    this.note({ kind: "stopped", who: "worker", ...processOf(id, child) });
    child.kill("SIGSTOP");
  }

  resumeWorker(id: string): void {
    const child = this.cluster.worker(id);
    if (hasEnded(child)) return;
    child.kill("SIGCONT");
    this.note({ kind: "continued", who: "worker", ...processOf(id, child) });
  }

  startWorker(id: string): void {
    if (hasEnded(this.cluster.worker(id))) this.cluster.startWorker(id);
  }

  /** SIGTERM, and gone; killed when it takes longer than anything it may wait for. */
  async #end(who: "master" | "worker", name: string, child: ChildProcess): Promise<void> {
    const { pid = 0 } = child;
    const doomed = descendantsOf(pid);
    const at = now();
    child.kill("SIGTERM");
    const ended = until(() => hasEnded(child), endMs);
    await ended.catch(() => endProcess(child, "SIGKILL"));
    const goneAt = now();
    const survivors = await survivorsOf(doomed);
    const exit = child.exitCode ?? child.signalCode;
    this.#noted({ kind: "ended", who, name, pid, at, goneAt, exit, survivors });
  }

  // ── etcd ─────────────────────────────────────────────────────────────────────────────────

  async killMember(at: number): Promise<void> {
    this.note({ kind: "killed", who: "engine", ...this.#memberAt(at) });
    await this.etcd.kill(at);
    this.#gates.get(memberName(at))?.shut();
  }

  async startMember(at: number): Promise<void> {
    await this.#gates.get(memberName(at))?.open();
    await this.etcd.restart(at);
  }

  pauseMember(at: number): void {
    this.note({ kind: "stopped", who: "engine", ...this.#memberAt(at) });
    this.etcd.pause(at);
  }

  resumeMember(at: number): void {
    this.etcd.resume(at);
    this.note({ kind: "continued", who: "engine", ...this.#memberAt(at) });
  }

  #memberAt(at: number): { readonly name: string; readonly pid: number } {
    return { name: memberName(at), pid: this.etcd.pids[at] ?? 0 };
  }

  // ── links, disks, clocks ─────────────────────────────────────────────────────────────────

  /** `who` is harmed by it: "worker" only where silence may make one lost. */
  partition(who: Harm["who"], names: readonly string[], rule: Rule): void {
    const { there, back } = rule;
    const flows = `${there}/${back}`;
    for (const name of names) this.note({ kind: "cut", who, name, flows, pid: 0 });
    this.#links.add(rule);
  }

  healLinks(): void {
    this.#links.heal();
    this.note({ kind: "healed", who: "client", name: "all links", pid: 0 });
  }

  whims(who: Harm["who"], name: string, child: ChildProcess, whims: Whims): void {
    this.note({ kind: "told", who, ...processOf(`${name} ${JSON.stringify(whims)}`, child) });
    setWhims(join(this.cluster.dir, "whims"), child.pid ?? 0, whims);
  }

  // ── all of it ────────────────────────────────────────────────────────────────────────────

  /** Nothing is harmed any more: all go on, all that died live again. */
  async heal(): Promise<void> {
    this.healLinks();
    for (const [at] of this.members.entries()) {
      if (this.etcd.pids[at] === undefined) await this.startMember(at);
      else this.etcd.resume(at);
    }
    for (const master of this.masters) this.resumeMaster(master);
    for (const id of this.workers) this.resumeWorker(id);
    await Promise.all(this.masters.map((master) => this.startMaster(master)));
    for (const id of this.workers) this.startWorker(id);
    const whims = join(this.cluster.dir, "whims");
    for (const [pid] of this.#pids) setWhims(whims, pid, {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal?.[Symbol.asyncDispose]();
    await this.#cluster?.[Symbol.asyncDispose]();
    this.#links[Symbol.dispose]();
    await this.#etcd?.[Symbol.asyncDispose]();
  }
}

const prefix = "/chaos";

/** Those that are there for longer than it takes to kill them. */
async function survivorsOf(doomed: readonly number[]): Promise<string[]> {
  const gone = until(() => !doomed.some(isAlive), goneMs);
  return gone.then(
    () => [],
    () => doomed.filter(isAlive).map(describeProcess),
  );
}

export function memberName(at: number): string {
  return `e${at}`;
}

function processOf(name: string, { pid = 0 }: ChildProcess) {
  return { name, pid };
}

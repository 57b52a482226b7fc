// A worker: the real agent and its parts over a simulated network, slots and spool. What is here does what
// sessions.ts and spool.ts do around the agent.

import { protocolVersion } from "../../src/protocol/messages.ts";
import type { MasterMessage, WorkerReport } from "../../src/protocol/messages.ts";
import type { WorkerInfo } from "../../src/protocol/model.ts";
import { Agent } from "../../src/worker/agent.ts";
import type { Spool } from "../../src/worker/reports.ts";
import type { ResultKeeper } from "../../src/worker/results.ts";
import { SimExecutor } from "./executor.ts";
import { Dialled } from "./dialled.ts";
import type { SimMaster } from "./master.ts";
import type { Wire } from "./network.ts";
import { Process } from "./process.ts";
import type { World } from "./world.ts";

export interface WorkerPlan {
  readonly id: string;
  readonly amounts: WorkerInfo["amounts"];
  readonly labels: WorkerInfo["labels"];
}

/** A machine that a worker's process runs on, life after life. */
export class SimWorker {
  readonly plan: WorkerPlan;
  life: WorkerLife | null = null;
  lives = 0;
  /** Nothing answers here, not even a refusal. */
  machineDown = false;
  readonly clockRate: number;
  /** What is on its disk. */
  spool: WorkerReport[] = [];
  readonly #world: World;

  constructor(world: World, plan: WorkerPlan) {
    this.#world = world;
    this.plan = plan;
    this.clockRate = 1 + (world.random.clock.float() - 0.5) * 0.02;
  }

  start(): void {
    this.machineDown = false;
    if (this.life) return;
    this.life = new WorkerLife(this.#world, this, ++this.lives);
  }

  /** The process is killed: its slots die with it (W7). */
  crash(how: "process" | "machine"): void {
    const { life } = this;
    if (!life) return;
    this.#world.timeline.trace(`${life.process.name} is killed (${how})`);
    this.life = null;
    this.machineDown = how === "machine";
    life.die(how);
  }

  addressOf(life: number): string {
    return `${this.plan.id}:${7_000 + life}`;
  }

  get node(): string {
    return this.plan.id;
  }

  /** Its connections to the masters, one wire each. */
  get wires(): Wire[] {
    const { masters, network } = this.#world;
    return masters.map(({ node }) => network.between(this.node, node));
  }

  /** Somebody dials the port of one of its lives; what gets no answer does not count as refused. */
  answers(from: string, address: string): boolean {
    if (this.machineDown || !this.#world.network.between(this.node, from).isSound) return true;
    return this.life !== null && address === this.addressOf(this.lives);
  }
}

export class WorkerLife {
  readonly process: Process;
  readonly agent: Agent;
  readonly executor: SimExecutor;
  readonly incarnation: string;
  readonly #world: World;
  readonly #worker: SimWorker;
  /** Welcomed ones, by number; and all that were begun and have not ended. */
  readonly #sessions = new Map<number, Dialled>();
  readonly #dials = new Set<Dialled>();
  #lastSession = 0;
  /** It was told to leave, which nobody takes back. */
  leaves = false;
  readonly spool: Spool & { problem: string | undefined };

  constructor(world: World, worker: SimWorker, life: number) {
    this.#world = world;
    this.#worker = worker;
    const name = `${worker.plan.id}#${life}`;
    const startedAt = world.random.clock.between(0, 1_000_000);
    this.process = new Process(name, world.timeline, { startedAt, rate: worker.clockRate });
    this.incarnation = world.random.ids.hex(16);
    this.executor = new SimExecutor(world, this.process, worker.plan);
    const predecessor = worker.spool.map((report, i) => ({ ...report, n: i + 1 }));
    worker.spool = [...predecessor];
    const info = infoOf(worker, life, this.incarnation);
    world.timeline.trace(`${name} starts, ${predecessor.length} reports in its spool`);
    this.spool = {
      problem: undefined,
      append: (reports) => this.#spool(reports),
      recorded: (n) => {
        worker.spool = worker.spool.filter((report) => report.n > n);
      },
    };
    this.agent = new Agent(
      { info, slotsMax: 64, predecessor },
      {
        clock: this.process.clock,
        executor: this.executor,
        spool: this.spool,
        results: inlineOnly,
        resolveInput: () => () => {},
        log: world.log(name),
        send: (session, messages) => this.#sessions.get(session)?.send(messages),
        close: (session, reason) => this.#sessions.get(session)?.end(reason),
        defer: (fire) => this.process.later(0, "agent turn", fire),
        machine: () => ({ memoryFreeMiB: 1_000, diskFreeBytes: 10 ** 9 }),
        onExit: (reason) => this.#exited(reason),
      },
    );
    for (const master of world.masters) this.#dial(master, 0);
  }

  get node(): string {
    return this.#worker.node;
  }

  /** The master whose orders it takes. */
  get leader(): SimMaster | undefined {
    return this.#sessions.get(this.agent.leader ?? -1)?.master;
  }

  die(how: "process" | "machine"): void {
    this.process.kill();
    this.executor.kill();
    for (const session of this.#dials) session.drop(how === "machine" ? "vanish" : "drop");
  }

  /** Refused for good, or ended by a drain. */
  #exited(reason: string): void {
    this.#world.timeline.trace(`${this.process.name} ends: ${reason}`);
    // A goodbye has 200 ms to leave the socket.
    this.process.later(200, "exit", () => {
      if (this.#worker.life !== this) return;
      this.#worker.life = null;
      this.die("process");
    });
  }

  #spool(reports: readonly WorkerReport[]): void {
    const ms = this.#world.random.disk.float() * 20;
    this.#world.timeline.after(ms, "spool write", () => {
      if (!this.process.alive) return;
      this.#worker.spool.push(...reports);
    });
  }

  // ── dialling ───────────────────────────────────────────────────────────────────────────

  /** W1: a session with every master. */
  #dial(master: SimMaster, tries: number): void {
    const session = ++this.#lastSession;
    const { process } = this;
    let welcomed = false;
    const dialled = new Dialled(this.#world, this, master, {
      onWelcome: () => {
        welcomed = true;
        this.#sessions.set(session, dialled);
      },
      onMessages: (messages) => this.#receive(session, messages),
      onEnd: (reason, final) => {
        this.#dials.delete(dialled);
        if (this.#sessions.delete(session)) this.agent.closed(session);
        if (final) return this.#exited(`refused: ${reason}`);
        const ceiling = Math.min(2_000, 100 * 2 ** Math.min(tries, 10));
        const wait = Math.ceil(this.#world.random.network.float() * ceiling);
        process.clock.after(wait, () => this.#dial(master, welcomed ? 0 : tries + 1));
      },
    });
    this.#dials.add(dialled);
  }

  #receive(session: number, messages: readonly MasterMessage[]): void {
    this.#world.obedience.receive(this, messages, () => this.agent.receive(session, messages));
  }
}

/** Simulated results travel inline. */
const inlineOnly: ResultKeeper = {
  bytes: 0,
  begin: () => {},
  end: () => {},
  areHad: (hashes) => hashes.length === 0,
  bring: () => {},
  forget: () => {},
};

function infoOf(worker: SimWorker, life: number, incarnation: string): WorkerInfo {
  const { id, amounts, labels } = worker.plan;
  return {
    id,
    incarnation,
    version: "0.0.0",
    protocol: protocolVersion,
    hostname: id,
    pid: life,
    node: "v0",
    platform: "simulated",
    address: worker.addressOf(life),
    amounts,
    labels,
    pool: "default",
    namespace: "default",
    by: "sim",
  };
}

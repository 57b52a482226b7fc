// A worker: the real agent and its parts over a simulated network, slots and spool. What is here does what
// session.ts, sessions.ts and spool.ts do around the agent, for one master.

import { limits } from "../../src/protocol/limits.ts";
import { protocolVersion, protocolVersionMin } from "../../src/protocol/messages.ts";
import type { MasterMessage, WorkerMessage, WorkerReport } from "../../src/protocol/messages.ts";
import type { WorkerInfo } from "../../src/protocol/model.ts";
import { Agent } from "../../src/worker/agent.ts";
import type { Spool } from "../../src/worker/reports.ts";
import { SimExecutor } from "./executor.ts";
import { checkMs, dialMs, Link, pingMs, Wire } from "./network.ts";
import type { MasterLife } from "./master.ts";
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
  readonly wire: Wire;
  life: WorkerLife | null = null;
  lives = 0;
  /** Nothing answers here, not even a refusal. */
  machineDown = false;
  /** What is on its disk. */
  spool: WorkerReport[] = [];
  readonly #world: World;

  constructor(world: World, plan: WorkerPlan) {
    this.#world = world;
    this.plan = plan;
    this.wire = new Wire(world);
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

  /** Somebody dials the port of one of its lives. */
  answers(address: string): boolean {
    if (this.machineDown || this.wire.isBlocked("down") || this.wire.isBlocked("up")) return true;
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
  readonly #sessions = new Map<number, Dialled>();
  #lastSession = 0;
  #tries = 0;
  /** It was told to leave, which nobody takes back. */
  leaves = false;
  readonly spool: Spool & { problem: string | undefined };

  constructor(world: World, worker: SimWorker, life: number) {
    this.#world = world;
    this.#worker = worker;
    const name = `${worker.plan.id}#${life}`;
    this.process = new Process(name, world.timeline, world.random.clock.between(0, 1_000_000));
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
        resolveInput: () => () => {},
        log: world.log(name),
        send: (session, messages) => this.#sessions.get(session)?.send(messages),
        close: (session, reason) => this.#sessions.get(session)?.end(reason),
        defer: (fire) => this.process.later(0, "agent turn", fire),
        machine: () => ({ memoryFreeMiB: 1_000, diskFreeBytes: 10 ** 9 }),
        onExit: (reason) => this.#exited(reason),
      },
    );
    this.#dial();
  }

  die(how: "process" | "machine"): void {
    this.process.kill();
    this.executor.kill();
    for (const session of this.#sessions.values()) session.drop(how);
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

  #dial(): void {
    const session = ++this.#lastSession;
    const dialled = new Dialled(this.#world, this, this.#worker, {
      onWelcome: () => {
        this.#tries = 0;
        this.#sessions.set(session, dialled);
      },
      onMessages: (messages) => this.agent.receive(session, messages),
      onEnd: (reason, final) => {
        if (this.#sessions.delete(session)) this.agent.closed(session);
        if (final) return this.#exited(`refused: ${reason}`);
        const ceiling = Math.min(2_000, 100 * 2 ** Math.min(this.#tries++, 10));
        const wait = Math.ceil(this.#world.random.network.float() * ceiling);
        this.process.clock.after(wait, () => this.#dial());
      },
    });
  }
}

interface DialledEvents {
  readonly onWelcome: () => void;
  readonly onMessages: (messages: readonly MasterMessage[]) => void;
  readonly onEnd: (reason: string, final: boolean) => void;
}

/** One connection to the master, from the dial to its end: what session.ts does. */
class Dialled {
  readonly #world: World;
  readonly #process: Process;
  readonly #events: DialledEvents;
  #link: Link | undefined;
  #heardAt: number;
  #spokeAt: number;
  #checkedAt: number;
  #welcomed = false;
  #ended = false;

  constructor(world: World, life: WorkerLife, worker: SimWorker, events: DialledEvents) {
    this.#world = world;
    this.#process = life.process;
    this.#events = events;
    const now = life.process.clock.now();
    this.#heardAt = this.#spokeAt = this.#checkedAt = now;
    const wire = worker.wire;
    const reach = wire.delay("up");
    const target = world.master.life;
    if (reach > dialMs) this.#later(dialMs, "the dial took too long");
    else if (!target) this.#later(reach, "connection refused");
    else {
      world.timeline.after(reach, "dial", () => {
        if (!target.process.alive || !life.process.alive) return this.#later(1, "refused");
        target.process.enter("accept", () => this.#accepted(target, life, worker));
      });
      life.process.clock.after(checkMs, () => this.#check());
    }
  }

  #later(ms: number, reason: string): void {
    this.#process.later(ms, "dial failed", () => this.end(reason));
  }

  #accepted(target: MasterLife, life: WorkerLife, worker: SimWorker): void {
    if (this.#ended) return;
    const link = new Link(this.#world, worker.wire, {
      worker: life.process,
      master: target.process,
      onMaster: (messages) => end.received(messages),
      onWorker: (messages) => this.#received(messages),
      onMasterClosed: (reason) => end.closed(reason),
      onWorkerClosed: (reason) => this.end(reason),
    });
    this.#link = link;
    const end = this.#world.master.accept(target, link);
    life.process.later(worker.wire.delay("down"), "connected", () => {
      this.#heardAt = this.#process.clock.now();
      this.send([
        {
          kind: "hello",
          protocol: [protocolVersionMin, protocolVersion],
          version: "0.0.0",
          id: worker.plan.id,
          incarnation: life.incarnation,
          journalId: this.#world.journal.journalId,
        },
      ]);
    });
  }

  send(messages: readonly WorkerMessage[]): void {
    if (this.#ended) return;
    this.#link?.sendUp(messages);
    this.#spokeAt = this.#process.clock.now();
  }

  #received(messages: readonly MasterMessage[]): void {
    if (this.#ended) return;
    this.#heardAt = this.#process.clock.now();
    const refusal = messages.find((message) => message.kind === "refuse");
    if (refusal) return this.end(refusal.message, true);
    let rest = messages;
    if (!this.#welcomed && messages[0]?.kind === "welcome") {
      this.#welcomed = true;
      this.#events.onWelcome();
      rest = messages.slice(1);
    }
    if (rest.length > 0) this.#events.onMessages(rest);
  }

  #check(): void {
    if (this.#ended) return;
    const now = this.#process.clock.now();
    const stalled = now - this.#checkedAt - checkMs;
    if (stalled > checkMs) this.#heardAt += stalled;
    this.#checkedAt = now;
    if (now - this.#heardAt > limits.suspectAfterMs) return this.end("nothing heard");
    this.#process.clock.after(checkMs, () => this.#check());
    if (this.#welcomed && now - this.#spokeAt > pingMs - checkMs) this.send([]);
  }

  end(reason: string, final = false): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#link?.closeWorker();
    this.#events.onEnd(reason, final);
  }

  /** The process is dead. */
  drop(how: "process" | "machine"): void {
    this.#ended = true;
    if (how === "machine") this.#link?.vanish();
    else this.#link?.closeWorker();
  }
}

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

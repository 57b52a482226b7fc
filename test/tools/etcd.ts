// A real etcd cluster on loopback ports, in a folder of its own, for tests and benchmarks.
//
//     await using etcd = await EtcdCluster.start();           // 3 members
//     await using journal = await openEtcdJournal({ url: etcd.url("/skein") });
//     etcd.pause(await etcd.leader());                        // …
//
// Members are known by their number, from 0. When it is disposed of, no process and no file is left.

import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync } from "node:fs";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SecureContextOptions } from "node:tls";
import { EtcdConnection } from "../../src/journal/etcd/connection.ts";
import { methods, statusAnswer, type Status } from "../../src/journal/etcd/messages.ts";
import { numberField } from "../../src/journal/etcd/protobuf.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { findEtcd, howToGetEtcd } from "./find-etcd.ts";

export interface EtcdClusterOptions {
  /** 3 unless given. */
  readonly members?: number;
  /** etcd's --quota-backend-bytes; its default unless given. */
  readonly quotaBytes?: number;
  /** etcd's --heartbeat-interval and --election-timeout; 50 and 500 unless given, etcd's own are 100 and 1000. */
  readonly heartbeatMs?: number;
  readonly electionMs?: number;
  /** Clients must use TLS: files of the members' certificate, and what clients here need to talk to them. */
  readonly tls?: {
    readonly certFile: string;
    readonly keyFile: string;
    /** Clients must show a certificate of this authority. */
    readonly clientCaFile?: string;
    readonly client: SecureContextOptions;
  };
  /** More flags for every member. */
  readonly flags?: readonly string[];
}

interface Member {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  process: ChildProcess | undefined;
}

const startMs = 30_000;
const callMs = 2_000;
const startsMax = 3;
/** The kernel takes a few milliseconds; elsewhere than on Linux this is all the waiting there is. */
const stopMs = 1_000;

export class EtcdCluster implements AsyncDisposable {
  readonly #options: EtcdClusterOptions;
  readonly #binary: string;
  readonly #folder: string;
  readonly #members: readonly Member[];
  readonly #onExit = () => this.#killAll();

  /** Resolves when all members agree on a leader. Rejects if there is no etcd here: see `findEtcd`. */
  static async start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    const binary = findEtcd();
    if (binary === undefined) throw new Error(`no etcd to start: ${howToGetEtcd}`);
    for (let tries = 1; ; tries++) {
      const ports = await freePorts(2 * (options.members ?? 3));
      const cluster = new EtcdCluster(options, { binary, ports });
      try {
        await cluster.#startAll();
        return cluster;
      } catch (error) {
        // Between looking for a free port and using it somebody else may have taken it.
        const taken = /address already in use/.test(cluster.logs());
        await cluster[Symbol.asyncDispose]();
        if (!taken || tries === startsMax) throw error;
      }
    }
  }

  private constructor(
    options: EtcdClusterOptions,
    { binary, ports }: { binary: string; ports: readonly number[] },
  ) {
    this.#options = options;
    this.#binary = binary;
    this.#folder = mkdtempSync(join(tmpdir(), "skein-etcd-"));
    this.#members = Array.from({ length: ports.length / 2 }, (_, at) => ({
      name: `m${at}`,
      clientPort: ports[2 * at] ?? 0,
      peerPort: ports[2 * at + 1] ?? 0,
      process: undefined,
    }));
    process.once("exit", this.#onExit);
  }

  get size(): number {
    return this.#members.length;
  }

  /** Where clients find each member, like "127.0.0.1:2379". */
  get endpoints(): readonly string[] {
    return this.#members.map(({ clientPort }) => `127.0.0.1:${clientPort}`);
  }

  /** The process id of each member that runs. */
  get pids(): readonly (number | undefined)[] {
    return this.#members.map((member) => member.process?.pid);
  }

  /** The URL of a journal here; without TLS and user. `prefix` begins with "/". */
  url(prefix: string): string {
    return `etcd://${this.endpoints.join(",")}${prefix}`;
  }

  /** Where a member keeps its data: to be copied or replaced while it does not run. */
  dataDir(at: number): string {
    return join(this.#folder, this.#member(at).name);
  }

  /** SIGKILL; its data stays. Resolves when it is gone. */
  async kill(at: number): Promise<void> {
    const member = this.#member(at);
    const { process: child } = member;
    if (!child) return;
    child.ref(); // Else a program with nothing else to do would end before it is gone.
    const exited = gone(child);
    child.kill("SIGKILL");
    await exited;
    member.process = undefined;
  }

  /** SIGSTOP: it holds its connections and answers nothing. Returns when all its threads have stopped. */
  pause(at: number): void {
    const { process: child } = this.#member(at);
    if (!child?.kill("SIGSTOP")) return;
    const end = performance.now() + stopMs;
    while (!hasStopped(child.pid) && performance.now() < end) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }

  resume(at: number): void {
    this.#member(at).process?.kill("SIGCONT");
  }

  /** Kills it if it runs, and starts it on its data. Resolves when it knows a leader. */
  async restart(at: number): Promise<void> {
    await this.kill(at);
    this.#spawn(this.#member(at));
    await this.#until(
      async () => (await this.status(at)).leader !== "0",
      `member ${at} to be back`,
    );
  }

  /** The number of the member that leads, as soon as one does that answers. */
  async leader(): Promise<number> {
    let found = -1;
    await this.#until(async () => {
      const all = await Promise.all(
        this.#members.map((_, at) => this.status(at).catch(() => undefined)),
      );
      found = all.findIndex((one) => one !== undefined && one.leader === one.header.memberId);
      return found !== -1;
    }, "a leader");
    return found;
  }

  /** Makes a member lead that is up to date. Resolves when it does. */
  async moveLeader(to: number): Promise<void> {
    const { memberId } = (await this.status(to)).header;
    await this.#until(async () => {
      const from = await this.leader();
      if (from === to) return true;
      const message = numberField(1, BigInt(`0x${memberId}`));
      await this.call(from, "/etcdserverpb.Maintenance/MoveLeader", message);
      return (await this.leader()) === to;
    }, `member ${to} to lead`);
  }

  async status(at: number): Promise<Status> {
    return statusAnswer(await this.call(at, methods.status, Buffer.alloc(0)));
  }

  /** Any gRPC call to one member. */
  async call(at: number, method: string, message: Uint8Array, token?: string): Promise<Buffer> {
    const scheme = this.#options.tls ? "https" : "http";
    const endpoint = `${scheme}://${this.endpoints[at] ?? ""}`;
    const tls = this.#options.tls?.client;
    const connection = new EtcdConnection({ endpoint, tls, clock: systemClock });
    try {
      return await connection.call(method, message, { limitMs: callMs, token });
    } finally {
      connection.destroy(new Error("done"));
    }
  }

  /** The last lines that the members wrote, for the message of a failed test. */
  logs(): string {
    return this.#members
      .map(({ name }) => join(this.#folder, `${name}.log`))
      .filter((file) => existsSync(file))
      .map((file) => readFileSync(file, "utf8").slice(-4_000))
      .join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((_, at) => this.kill(at)));
    rmSync(this.#folder, { recursive: true, force: true });
    process.off("exit", this.#onExit);
  }

  async #startAll(): Promise<void> {
    for (const member of this.#members) this.#spawn(member);
    await this.#until(async () => {
      const all = await Promise.all(this.#members.map((_, at) => this.status(at)));
      return new Set(all.map(({ leader }) => leader)).size === 1 && all[0]?.leader !== "0";
    }, "all members to agree on a leader");
  }

  #spawn(member: Member): void {
    const { name, clientPort, peerPort } = member;
    const { quotaBytes, heartbeatMs = 50, electionMs = 500, tls, flags = [] } = this.#options;
    const scheme = tls ? "https" : "http";
    const peers = this.#members.map((one) => `${one.name}=http://127.0.0.1:${one.peerPort}`);
    const args = [
      `--name=${name}`,
      `--data-dir=${join(this.#folder, name)}`,
      `--listen-client-urls=${scheme}://127.0.0.1:${clientPort}`,
      `--advertise-client-urls=${scheme}://127.0.0.1:${clientPort}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-cluster=${peers.join(",")}`,
      `--initial-cluster-token=${this.#folder}`,
      `--heartbeat-interval=${heartbeatMs}`,
      `--election-timeout=${electionMs}`,
      ...(quotaBytes === undefined ? [] : [`--quota-backend-bytes=${quotaBytes}`]),
      ...(tls ? [`--cert-file=${tls.certFile}`, `--key-file=${tls.keyFile}`] : []),
      ...(tls?.clientCaFile === undefined
        ? []
        : [`--trusted-ca-file=${tls.clientCaFile}`, "--client-cert-auth"]),
      ...flags,
    ];
    const log = openSync(join(this.#folder, `${name}.log`), "a");
    member.process = spawn(this.#binary, args, { stdio: ["ignore", log, log] });
    closeSync(log);
    member.process.unref();
  }

  #member(at: number): Member {
    const member = this.#members[at];
    if (!member) throw new RangeError(`there is no member ${at}`);
    return member;
  }

  #killAll(): void {
    for (const { process: child } of this.#members) child?.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #until(holds: () => Promise<boolean>, what: string): Promise<void> {
    const end = performance.now() + startMs;
    let last: unknown;
    while (performance.now() < end) {
      try {
        if (await holds()) return;
      } catch (error) {
        last = error;
        const dead = this.#members.find((one) => one.process && one.process.exitCode !== null);
        if (dead) break;
      }
      await sleep(20);
    }
    throw new Error(`waited in vain for ${what}\n${this.logs()}`, { cause: last });
  }
}

/** SIGSTOP takes effect a moment after it is sent, thread by thread. */
function hasStopped(pid: number | undefined): boolean {
  if (process.platform !== "linux") return false;
  const tasks = `/proc/${pid}/task`;
  try {
    return readdirSync(tasks).every((task) =>
      /\) [Tt] /.test(readFileSync(join(tasks, task, "stat"), "utf8")),
    );
  } catch {
    return false; // A thread ended between the two: look again.
  }
}

function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

/** Held all at once, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listen));
  // `listen` resolves with servers on a port, whose address is an AddressInfo.
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listen(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

/** One master of a cluster of real processes: killed, paused, started again, on the port it had before. */
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "skein/client";
import type { StatusView } from "skein/client";
import { endProcess, hasEnded, until } from "./tools.ts";

export interface MasterOwner {
  readonly dir: string;
  readonly token: string;
  /** What the processes wrote to stderr. */
  readonly stderr: string;
  /** Adds what all its masters are given: the journal, and what a test adds. */
  spawnMaster(master: MasterProcess, args: readonly string[]): ChildProcess;
}

const askMs = 1_000;

export class MasterProcess {
  readonly id: string;
  readonly #owner: MasterOwner;
  #child: ChildProcess | undefined;
  #url = "";

  constructor(owner: MasterOwner, id: string) {
    this.#owner = owner;
    this.id = id;
  }

  get child(): ChildProcess {
    if (!this.#child) throw new Error(`master ${this.id} was never started`);
    return this.#child;
  }

  get lives(): boolean {
    return this.#child !== undefined && !hasEnded(this.#child);
  }

  /** The last one it had; "" before the first start. */
  get url(): string {
    return this.#url;
  }

  /** Its folder in the data directory. */
  get own(): string {
    return join(this.#owner.dir, "masters", this.id);
  }

  /** Begins to start it; `answers` waits for it. */
  spawn(): ChildProcess {
    rmSync(join(this.own, "address"), { force: true });
    const port = this.#url === "" ? "0" : new URL(this.#url).port;
    const args = ["master", "--data", this.#owner.dir, "--id", this.id, "--port", port];
    this.#child = this.#owner.spawnMaster(this, [...args, "--log-format", "json"]);
    return this.#child;
  }

  /** Until it answers, leading or not; throws what it said if it ends before that. */
  async answers(): Promise<void> {
    const address = join(this.own, "address");
    const { child } = this;
    await until(() => {
      if (hasEnded(child)) {
        throw new Error(`master ${this.id} ended: ${this.#owner.stderr.slice(-2_000)}`);
      }
      return existsSync(address) && readFileSync(address, "utf8").endsWith("\n");
    });
    this.#url = readFileSync(address, "utf8").trim();
    await until(async () => (await this.status()) !== undefined);
  }

  /** What it says itself; undefined when it does not answer, or not in time. */
  async status(): Promise<StatusView | undefined> {
    const client = createClient({ masters: [this.#url], token: this.#owner.token });
    const signal = AbortSignal.timeout(askMs);
    return client.status({ signal, retryMs: 0 }).catch(() => undefined);
  }

  /** SIGKILL, and gone. */
  async kill(): Promise<void> {
    if (this.#child) await endProcess(this.#child, "SIGKILL");
  }

  /** SIGTERM, and gone; resolves with its exit code. */
  async stop(): Promise<number | null> {
    await endProcess(this.child, "SIGTERM");
    return this.child.exitCode;
  }

  pause(): void {
    this.child.kill("SIGSTOP");
  }

  resume(): void {
    this.child.kill("SIGCONT");
  }

  /** Starts it, again if need be, until it answers. */
  async restart(): Promise<void> {
    await this.kill();
    this.spawn();
    await this.answers();
  }
}

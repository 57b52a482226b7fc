/** What the tests of faults share: the CLI as a process, raw bytes to a port, disks that are small. */
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cli, until } from "../processes/process-cluster.ts";
import type { ProcessCluster } from "../processes/process-cluster.ts";

/** A process of the CLI, with what it has said so far. */
export class Said {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const { SKEIN_DATA: _, SKEIN_URL: __, SKEIN_TOKEN: ___, ...rest } = process.env;
    this.child = spawn(process.execPath, [cli, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...rest, ...env },
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
  }

  /** Resolves with the exit code when all it said was heard; kills it after `boundMs`. */
  async ended(boundMs = 60_000): Promise<number | null> {
    const late = setTimeout(() => this.child.kill("SIGKILL"), boundMs);
    if (this.child.exitCode === null && this.child.signalCode === null) {
      await once(this.child, "close");
    }
    clearTimeout(late);
    return this.child.exitCode;
  }

  async says(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.stdout) || pattern.test(this.stderr), 30_000);
  }
}

/** Runs the CLI against a cluster to its end. */
export async function skein(cluster: ProcessCluster, ...args: readonly string[]): Promise<Said> {
  const said = new Said(args, at(cluster));
  await said.ended();
  return said;
}

export function at({ url, token }: ProcessCluster): Record<string, string> {
  return { SKEIN_URL: url, SKEIN_TOKEN: token };
}

/** Sends bytes and collects what comes until the other side closes, or `boundMs` are over. */
export function raw(url: string, bytes: string | Uint8Array, boundMs = 5_000): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    const done = () => {
      clearTimeout(late);
      socket.destroy();
      resolve(text);
    };
    const late = setTimeout(done, boundMs);
    socket.setEncoding("latin1").on("data", (more: string) => (text += more));
    socket.on("error", done).on("close", done);
    socket.write(bytes);
  });
}

/** A disk of its own, as small as asked; undefined where this process may not mount one. */
export function smallDisk(mib: number, on?: string): SmallDisk | undefined {
  const path = on ?? mkdtempSync(join(tmpdir(), "skein-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "tmpfs", path], {
      stdio: "ignore",
    });
    return new SmallDisk(path);
  } catch {
    if (on === undefined) rmSync(path, { recursive: true });
    return undefined;
  }
}

export class SmallDisk implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Takes all that is left, to the last page. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.path);
    for (let bytes = bavail * bsize, n = 0; bytes >= 4_096; bytes = Math.floor(bytes / 2), n++) {
      try {
        for (;;) writeFileSync(join(this.path, "fill"), Buffer.alloc(bytes), { flag: "a" });
      } catch {
        // No room for so much: half of it, then.
      }
    }
  }

  free(): void {
    rmSync(join(this.path, "fill"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever worked there may still be letting go.
    await until(() => {
      try {
        execFileSync("umount", [this.path], { stdio: "ignore" });
        return true;
      } catch {
        return false;
      }
    }, 10_000);
    rmSync(this.path, { recursive: true, force: true });
  }
}

export const mayMount: boolean = await (async () => {
  const disk = smallDisk(1);
  await disk?.[Symbol.asyncDispose]();
  return disk !== undefined;
})();

import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startLaptop } from "./laptop.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "skein-up-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A stand-in for the CLI. */
async function fakeUp(text: string): Promise<string> {
  const file = join(folder, `up-${Math.trunc(performance.now() * 1000)}.mjs`);
  await writeFile(file, text);
  return file;
}

const ready = `
  console.log("starting");
  const args = process.argv.slice(2);
  const masters = [{ id: "m1", url: "http://127.0.0.1:1", pid: 1 }];
  console.log(JSON.stringify({ ready: true, masters, token: "t", pids: { args } }));
`;

const alive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("a laptop cluster", () => {
  it("is ready when it says so, and ends with close, its directory too", async () => {
    const cli = await fakeUp(`${ready} process.stdin.resume();`);
    const laptop = await startLaptop({ workers: 2, cli });
    const args = laptop.pids["args"] as string[];
    const dataDir = args[args.indexOf("--data") + 1] ?? "";
    expect(args.join(" ")).toBe(
      `up --data ${dataDir} --port 0 --masters 1 --workers 2 --json --exit-with-stdin`,
    );
    expect(await readdir(dataDir)).toEqual([]);
    expect(laptop.ended()).toBeUndefined();
    await laptop.close();
    await expect(readdir(dataDir)).rejects.toThrow("ENOENT");
    await laptop.close();
  });

  it("that does not start says what it printed", async () => {
    const cli = await fakeUp('console.error("error: port in use"); process.exitCode = 2;');
    await expect(startLaptop({ cli })).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/did not start: .*\nerror: port in use$/),
    });
  });

  it("that ends later is known to have ended", async () => {
    const cli = await fakeUp(`${ready} setTimeout(() => process.exit(3), 50);`);
    const laptop = await startLaptop({ cli });
    while (laptop.ended() === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(laptop.ended()).toContain("exit code 3");
    await laptop.close();
  });

  it("is not waited for after an abort", async () => {
    const cli = await fakeUp(`console.log(process.pid); process.stdin.resume();`);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 100);
    await expect(startLaptop({ cli, signal: controller.signal })).rejects.toThrow("enough");
  });

  it("that ignores SIGTERM is killed", { timeout: 15_000 }, async () => {
    const cli = await fakeUp(
      `${ready.replace("{ args }", "{ pid: process.pid, args }")}
       process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);`,
    );
    const laptop = await startLaptop({ cli, endMs: 200 });
    await laptop.close();
    expect(alive(Number(laptop.pids["pid"]))).toBe(false);
  });
});

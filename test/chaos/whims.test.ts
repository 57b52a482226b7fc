import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { setWhims, whimsEnv, whimsLibrary } from "./whims.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "skein-whims-"))));
afterEach(() => rmSync(folder, { recursive: true }));

// Whoever calls whimsLibrary without a compiler is told; rounds then leave those nemeses out.
test.skipIf(whimsLibrary() === undefined)(
  "one process has a slow disk and a wrong clock for as long as it is told (skipped without cc)",
  async () => {
    const script = `
      const fs = require("node:fs");
      process.stdin.on("data", () => {
        const began = performance.now();
        const fd = fs.openSync(process.argv[1], "a");
        fs.fsyncSync(fd);
        fs.closeSync(fd);
        console.log(JSON.stringify({ wall: Date.now(), syncMs: performance.now() - began }));
      });`;
    const child = spawn(process.execPath, ["-e", script, join(folder, "synced")], {
      env: whimsEnv(folder),
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ask = async () => {
      child.stdin.write("\n");
      const { value } = await lines.next();
      return JSON.parse(value as string) as { wall: number; syncMs: number };
    };
    const hour = 3_600_000;
    expect(Math.abs((await ask()).wall - Date.now())).toBeLessThan(60_000);
    setWhims(folder, child.pid ?? 0, { syncMs: 200, wallMs: -hour });
    const struck = await ask();
    expect(struck.syncMs).toBeGreaterThanOrEqual(200);
    expect(Math.abs(struck.wall + hour - Date.now())).toBeLessThan(60_000);
    setWhims(folder, child.pid ?? 0, {});
    expect(Math.abs((await ask()).wall - Date.now())).toBeLessThan(60_000);
    child.kill();
  },
);

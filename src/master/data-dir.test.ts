import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runnableFile } from "../lib/thread.ts";
import { openDataDir } from "./data-dir.ts";

let root: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "skein-data-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(root, { recursive: true });
});

/** A process that opens the directory and keeps it; says "has it", or why not. */
async function starter(): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const module = pathToFileURL(runnableFile(new URL("./data-dir.ts", import.meta.url)));
  const code = `
    import { openDataDir } from ${JSON.stringify(module.href)};
    try { openDataDir(${JSON.stringify({ root, id: "m1" })}); console.log("has it"); }
    catch (error) { console.log(error.message); }
    setInterval(() => {}, 1_000);
  `;
  const args = ["--input-type=module", "-e", code];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [said] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { child, said };
}

test("of masters that start at once over what a dead one left, one has the directory", async () => {
  mkdirSync(join(root, "masters", "m1"), { recursive: true });
  writeFileSync(join(root, "masters", "m1", "lock"), "999999 1\n");
  const all = await Promise.all(Array.from({ length: 6 }, starter));
  expect(all.filter(({ said }) => said === "has it")).toHaveLength(1);
});

test("the directory of a living master is refused with its name, and free once it is killed", async () => {
  const { child } = await starter();
  expect(() => openDataDir({ root, id: "m1" })).toThrow(`process ${child.pid} on `);
  child.kill("SIGKILL");
  await once(child, "exit");
  openDataDir({ root, id: "m1" }).release();
});

test("a process id that means nothing here, as in another container, makes no lock stale", async () => {
  await starter();
  for (const pid of [999_999, process.pid]) {
    writeFileSync(join(root, "masters", "m1", "lock"), `${pid} \n`);
    expect(() => openDataDir({ root, id: "m1" })).toThrow(/A master works in/);
  }
});

test("a master that has let go takes nothing from the next one", () => {
  const first = openDataDir({ root, id: "m1" });
  first.release();
  const second = openDataDir({ root, id: "m1" });
  second.publish("http://127.0.0.1:1");
  first.release();
  expect(readFileSync(join(root, "masters", "m1", "address"), "utf8")).toBe("http://127.0.0.1:1\n");
  expect(() => openDataDir({ root, id: "m1" })).toThrow(/works in/);
  second.release();
});

test("a token that is given wins over the directory's, and is written where there is none", () => {
  const given = "x".repeat(40);
  const first = openDataDir({ root, id: "m1", token: given });
  expect(first).toMatchObject({ token: given, tokenDiffers: false });
  expect(readFileSync(join(root, "token"), "utf8")).toBe(`${given}\n`);
  const second = openDataDir({ root, id: "m2", token: "y".repeat(40) });
  expect(second).toMatchObject({ token: "y".repeat(40), tokenDiffers: true });
  const third = openDataDir({ root, id: "m3" });
  expect(third.token).toBe(given);
  expect(() => openDataDir({ root, id: "m4", token: "short" })).toThrow(/SKEIN_TOKEN has fewer/);
  for (const dir of [first, second, third]) dir.release();
});

test("masters of one directory find each other's addresses", () => {
  const [first, second] = ["m1", "m2"].map((id) => openDataDir({ root, id }));
  first?.publish("http://127.0.0.1:1");
  expect([first?.others(), second?.others()]).toEqual([[], ["http://127.0.0.1:1"]]);
  expect(() => openDataDir({ root, id: "m2" })).toThrow(/as m2: process/);
  expect(() => openDataDir({ root, id: "../m3" })).toThrow(/no id of a master/);
  first?.release();
  expect(second?.others()).toEqual([]);
  second?.release();
});

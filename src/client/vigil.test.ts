import { expect, test } from "vitest";
import { Vigil } from "./vigil.ts";

test("who waits for a master that answers nothing is told, all of them, once", async () => {
  const told: string[] = [];
  const asked: string[] = [];
  const vigil = new Vigil((master, signal) => {
    asked.push(master);
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  });
  const watches = ["a call", "a stream"].map((who) => vigil.watch("m1", () => told.push(who)));
  await expect.poll(() => told, { timeout: 20_000 }).toEqual(["a call", "a stream"]);
  expect(asked).toEqual(["m1"]);
  for (const watch of watches) watch.end();
});

test("a master that answers what is small is waited for, however long the rest takes (V2)", async () => {
  let told = false;
  let answers = 0;
  const vigil = new Vigil(async () => void answers++);
  const watch = vigil.watch("m1", () => {
    told = true;
  });
  await expect.poll(() => answers, { timeout: 20_000 }).toBe(2);
  expect(told).toBe(false);
  watch.end();
});

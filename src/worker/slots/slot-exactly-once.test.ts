import { expect, test } from "vitest";
import { Trial } from "./slot-trial.fixture.ts";

// Tasks of all kinds; some end their process.
const module = `const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  export const t = task("t", (kind) => {
    switch (kind) {
      case "later": return wait(3).then(() => "later");
      case "spin": { const end = performance.now() + 15; while (performance.now() < end); return kind; }
      case "print": console.log("hello"); return kind;
      case "throw": throw new Error("no");
      case "large": return "x".repeat(70_000);
      case "reject": setTimeout(() => Promise.reject(new Error("lost")), 1); return wait(5);
      case "exit": process.exit(1);
      case "abort": process.abort();
      case "kill": process.kill(process.pid, "SIGKILL");
      default: return kind;
    } });`;

function randomFrom(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const calm = ["quick", "quick", "quick", "quick", "later", "spin", "print", "throw", "large"];
const deadly = ["reject", "exit", "abort", "kill"];

test.each([...Array(24).keys()])(
  "whatever happens, every attempt ends or is given back, once (X1, seed %i)",
  async (seed) => {
    const random = randomFrom(seed);
    await using trial = new Trial({
      module,
      executor: { recycleAfter: 400 },
      job: { killGraceMs: 5 },
    });
    let given = 0;
    for (let round = 0; round < 12 && trial.exit === undefined; round++) {
      const kinds = Array.from({ length: 1 + random(60) }, () =>
        random(150) === 0 ? deadly[random(deadly.length)] : calm[random(calm.length)],
      );
      trial.give(...kinds);
      given += kinds.length;
      if (random(2) === 0) await new Promise((resolve) => setTimeout(resolve, random(30)));
      if (random(3) === 0) trial.slot.drop(random(50));
      for (let i = random(4); i > 0; i--) trial.slot.cancel(random(given), 1, 32, random(20));
    }
    trial.slot.stop(random(3) === 0);
    await trial.until(() => trial.exit !== undefined);
    const left = [...trial.ends, ...trial.dropped].map(({ task }) => task);
    expect(left.toSorted((a, b) => a - b)).toEqual([...Array(given).keys()]);
    expect(trial.events.at(-1)).toBe("exit");
  },
);

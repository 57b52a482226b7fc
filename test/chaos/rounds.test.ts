// A short round of every nemesis (docs/reliability.md). Long ones: npm run chaos -- --minutes 10 --seed 1
import { expect, test } from "vitest";
import { findEtcd } from "../tools/find-etcd.ts";
import { engineNemeses } from "./engine-nemeses.ts";
import { linkNemeses } from "./link-nemeses.ts";
import type { NemesisName } from "./nemeses.ts";
import { runRound } from "./round.ts";
import type { RoundOptions } from "./round.ts";
import { whimsLibrary } from "./whims.ts";

const names = <Name extends NemesisName>(of: Readonly<Record<Name, unknown>>) =>
  Object.keys(of) as Name[];

test("masters killed, stopped, told to end and to step down: nothing is lost, doubled or restarted (P1, P2, P3, P5)", async () => {
  const killed = ["kill-leader", "kill-standby", "pause-leader", "pause-standby", "kill-masters"];
  const asked = ["end-leader", "end-standby", "step-down", "step-down-to"];
  await keeps({ seed: 1, nemeses: [...killed, ...asked] as NemesisName[] });
});

test("workers killed, stopped and told to end, with the leader and with all: every task ends once, elsewhere (P1, P2, P4)", async () => {
  const some = ["kill-worker", "kill-leader-and-worker", "pause-worker", "end-worker", "kill-all"];
  await keeps({ seed: 2, nemeses: some as NemesisName[] });
});

test("masters, workers and standbys cut off from each other, also one way: every promise holds (P1 to P5)", async () => {
  await keeps({ seed: 3, nemeses: names(linkNemeses) });
});

// whimsLibrary says aloud why there is none.
test.skipIf(whimsLibrary() === undefined)(
  "slow disks, stalled disks and wrong clocks: every promise holds (P1 to P5; skipped without cc)",
  async () => {
    await keeps({ seed: 4, nemeses: ["slow-disk", "stalled-disk", "clock-step"] });
  },
);

// With CI=true findEtcd throws instead.
test.skipIf(findEtcd() === undefined)(
  "etcd members and leaders killed, stopped, moved and cut off: every promise holds (P1 to P5; skipped without etcd)",
  async () => {
    await keeps({ seed: 5, engine: "etcd", nemeses: names(engineNemeses) });
  },
);

async function keeps(options: Omit<RoundOptions, "seconds">): Promise<void> {
  const round = await runRound({ ...options, seconds: 1 });
  const { violations, history, strikes, tasks, terms, kept } = round;
  expect(violations, `history and data are kept in ${kept}`).toEqual([]);
  expect(tasks).toBeGreaterThan(0);
  const stamped = history.operations.filter((one) => one.kind === "read" && one.index);
  expect(stamped.length).toBeGreaterThan(0);
  console.log(
    `seed ${options.seed}: ${strikes} blows, ${terms} terms, ${tasks} tasks: nothing broken`,
  );
}

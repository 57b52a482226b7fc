import { expect, test } from "vitest";
import { createState } from "../core/state.ts";
import { HandClock } from "../lib/hand-clock.fixture.ts";
import { silentLog } from "../lib/log.ts";
import { Retention, type RetentionOptions } from "./retention.ts";

const hour = 60 * 60_000;

test("a payload that nobody names nor asks for is freed after an hour; one that a report waits for is not", async () => {
  const clock = new HandClock();
  const state = createState("j");
  const freed: string[] = [];
  const loop = {
    leads: true,
    read: <T>(see: (of: typeof state) => T, then: (seen: T) => void) => then(see(state)),
    request: ({ hashes }: { hashes: string[] }, _bytes: number, then: (a: object) => void) => {
      freed.push(...hashes);
      then({ ok: true });
    },
  } as unknown as RetentionOptions["loop"];
  const archive = { prune: async () => ({ jobs: 0 }) } as unknown as RetentionOptions["archive"];
  let wantedAt = 0;
  const retention = new Retention({
    loop,
    archive,
    clock,
    log: silentLog,
    logs: { prune: async () => ({ segments: 0, bytes: 0 }) },
    payloads: { hashes: () => ["orphan", "wanted"].values() },
    copies: {
      wantedSince: (hash, at) => hash === "wanted" && wantedAt >= at,
      forgetWanted: () => {},
    },
  });
  for (let now = 0; now <= 2 * hour; now += hour / 2) {
    wantedAt = clock.now();
    await retention.run();
    clock.pass(hour / 2);
  }
  expect(new Set(freed)).toEqual(new Set(["orphan"]));
  wantedAt = -Infinity;
  freed.length = 0;
  clock.pass(hour);
  await retention.run();
  expect(freed).toContain("wanted");
  retention.stop();
});

// What every archive must do when it is asked for lists: see archive.ts, R6, and ended-attempts.ts.

import { deepEqual, equal, ok } from "node:assert/strict";
import { parseFilter } from "../../protocol/filter.ts";
import { encodeOutcomes } from "../../protocol/outcome-block.ts";
import type { JobsQuery } from "./archive.ts";
import { jobEvent, listed, outcome, type ArchiveCase } from "./conformance.ts";
import type { AttemptsPlace, AttemptsQuery } from "./ended-attempts.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

export const listCases: readonly ArchiveCase[] = [
  {
    name: "R6: jobs are listed newest first, with the total of all that fit",
    async run({ open }) {
      await using archive = await open();
      for (let number = 1; number <= 12; number++) {
        const queue = number % 2 === 0 ? "film" : "night";
        const labels = { third: String(number % 3), all: "1" };
        archive.add(number, 100 + number, [jobEvent(number, { queue, labels })]);
      }
      archive.add(13, 200, [
        { kind: "jobEnded", job: 4, state: "failed", json: '{"end":4}' },
        { kind: "jobEnded", job: 6, state: "succeeded", json: '{"end":6}' },
        { kind: "retired", job: 4 },
      ]);
      const numbers = (filter: string, more: Partial<JobsQuery> = {}) =>
        listed(archive, filter, { limit: 3, ...more });
      deepEqual(await numbers(""), [[12, 11, 10], 12]);
      deepEqual(await numbers("", { beyond: 3 }), [[2, 1], 12]);
      deepEqual(await numbers("", { order: "oldest" }), [[1, 2, 3], 12]);
      deepEqual(await numbers("", { order: "oldest", beyond: 10 }), [[11, 12], 12]);
      deepEqual(await numbers("queue:film"), [[12, 10, 8], 6]);
      deepEqual(await numbers("queue:film", { states: ["failed"] }), [[4], 1]);
      deepEqual(await numbers("", { states: ["failed", "succeeded"] }), [[6, 4], 2]);
      deepEqual(await numbers("", { states: ["unfinished"] }), [[12, 11, 10], 10]);
      deepEqual(await numbers("label.third=0"), [[12, 9, 6], 4]);
      deepEqual(await numbers("label.third=0 queue:film", { states: ["succeeded"] }), [[6], 1]);
      deepEqual(await numbers("label.third=7"), [[], 0]);
      deepEqual(await numbers("queue:none"), [[], 0]);
      const [ended] = await archive.job(4);
      deepEqual(
        [ended?.state, ended?.ended, ended?.endedIndex, ended?.retired, ended?.json],
        ["failed", 200, 13, true, '{"end":4}'],
      );
    },
  },
  {
    name: "R6: jobs are found by every term and its opposite, in both orders",
    async run({ open }) {
      await using archive = await open();
      for (let number = 1; number <= 12; number++) {
        const labels: Record<string, string> = number % 4 === 0 ? {} : { team: `t${number % 3}` };
        const task = number % 2 === 0 ? "cut" : "glue";
        const by = number === 5 ? "ana" : "token";
        const queue = number > 6 ? "film" : "night";
        archive.add(number, number, [
          jobEvent(number, { queue, labels, task, by, created: number * 10 }),
        ]);
      }
      const end = { kind: "jobEnded", state: "failed", json: "{}" } as const;
      archive.add(13, 500, [{ ...end, job: 3 }]);
      archive.add(14, 600, [{ ...end, job: 4 }]);
      const numbers = (filter: string, more: Partial<JobsQuery> = {}) =>
        listed(archive, filter, more);
      deepEqual(await numbers("task:cut queue:night"), [[6, 4, 2], 3]);
      deepEqual(await numbers("by:ana"), [[5], 1]);
      deepEqual(await numbers("!by:token"), [[5], 1]);
      deepEqual(await numbers("!queue:night !task:cut"), [[11, 9, 7], 3]);
      deepEqual(await numbers("label.team=t0,t1 queue:film"), [[10, 9, 7], 3]);
      deepEqual(await numbers("label.team=t0 label.team=t1"), [[], 0]);
      deepEqual(await numbers("!label.team=t0,t1,t2"), [[12, 8, 4], 3]);
      deepEqual(await numbers("created>1970-01-01T00:00:00.100Z"), [[12, 11], 2]);
      deepEqual(await numbers("!created>1970-01-01T00:00:00.020Z"), [[2, 1], 2]);
      deepEqual(await numbers("ended<1970-01-01T00:00:00.550Z"), [[3], 1]);
      deepEqual(await numbers("!ended<1970-01-01T00:00:00.550Z task:cut queue:night"), [
        [6, 4, 2],
        3,
      ]);
      deepEqual(await numbers("task:cut", { states: ["failed"] }), [[4], 1]);
      deepEqual(await numbers("task:cut", { states: [] }), [[], 0]);
      deepEqual(await numbers("", { states: [] }), [[], 0]);
      deepEqual(await numbers("task:cut", { order: "oldest", limit: 2 }), [[2, 4], 6]);
      deepEqual(await numbers("task:cut", { order: "oldest", limit: 2, beyond: 4 }), [[6, 8], 6]);
      deepEqual(await numbers("task:cut", { limit: 2, beyond: 8 }), [[6, 4], 6]);
    },
  },
  {
    name: "attempts of a job or a worker are given newest first, in pages, each once",
    async run({ open }) {
      await using archive = await open();
      archive.add(1, 5, [jobEvent(1), jobEvent(2)]);
      for (let index = 2; index < 50; index++) {
        const worker = `w${index % 2}`;
        const code = index % 5 === 0 ? 1 : 0;
        const items = [0, 1].map((i) => outcome(index * 10 + i, '{"message":"no"}', code));
        const never = { ...outcome(index * 10 + 9), attempt: 0 };
        const block = encodeOutcomes([...items, never]);
        const lost = { attempt: 1, code: 64, charged: false, started: 1, micros: 2, logBytes: 0 };
        archive.add(index, index * 10, [
          { kind: "outcomes", job: 1 + (index % 3 === 0 ? 1 : 0), n: 0, worker, block },
          { kind: "attempt", job: 1, task: index * 10 + 2, worker: "w1", error: null, ...lost },
        ]);
      }
      const all = async (of: AttemptsQuery["of"], filter = "", limit = 7) => {
        const terms = parseFilter("attempts", filter, 0);
        const tasks: number[] = [];
        let before: AttemptsPlace | undefined;
        do {
          const page = await archive.endedAttempts({ of, terms, limit, before });
          ok(page.items.length <= limit);
          for (const { task } of page.items) tasks.push(task);
          before = page.next;
        } while (before);
        return tasks;
      };
      const expected = (job: number, fits: (task: number) => boolean) =>
        Array.from({ length: 500 - 20 }, (_, i) => 499 - i)
          .filter((task) => (task % 10 === 2 ? job === 1 : task % 10 < 2))
          .filter((task) => task % 10 === 2 || (Math.floor(task / 10) % 3 === 0) === (job === 2))
          .filter(fits)
          .map((task) => task);
      const inBlocks = (tasks: number[]) =>
        tasks.toSorted((a, b) => Math.floor(b / 10) - Math.floor(a / 10) || order(a) - order(b));
      // Of one batch: outcomes before attempts, the last first.
      const order = (task: number) => [1, 0, 2][task % 10] ?? 9;
      deepEqual(await all({ job: 1 }), inBlocks(expected(1, () => true)));
      deepEqual(await all({ job: 2 }, "", 1), inBlocks(expected(2, () => true)));
      const isFailed = (task: number) => task % 10 < 2 && Math.floor(task / 10) % 5 === 0;
      deepEqual(await all({ job: 1 }, "state:failed"), inBlocks(expected(1, isFailed)));
      deepEqual(
        await all({ job: 1 }, "state:lost reason:worker_lost"),
        inBlocks(expected(1, (task) => task % 10 === 2)),
      );
      const ofW0 = [...(await all({ worker: "w0" }))];
      ok(ofW0.every((task) => Math.floor(task / 10) % 2 === 0 && task % 10 < 2));
      equal(ofW0.length, 48);
      equal((await all({ worker: "w1" })).length, 96);
      deepEqual(await all({ worker: "w2" }), []);
      const [failed] = (
        await archive.endedAttempts({
          of: { job: 1 },
          terms: parseFilter("attempts", "state:failed", 0),
          limit: 1,
        })
      ).items;
      equal(textOf(failed?.error ?? bytesOf("")), '{"message":"no"}');
      deepEqual([failed?.worker, failed?.ended, failed?.charged], ["w0", 400, true]);
    },
  },
];

// What every archive must do, as a list of cases without a test runner: see archive.ts for R1 … R6.

import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { parseFilter } from "../../protocol/filter.ts";
import { encodeOutcomes, type OutcomeItem } from "../../protocol/outcome-block.ts";
import type { Archive, ArchiveEvent, AttemptEnded, JobCreated, JobsQuery } from "./archive.ts";

/** An archive that can be opened again after its process died. */
export interface ArchiveUnderTest {
  readonly open: () => Promise<Archive>;
}

export interface ArchiveCase {
  readonly name: string;
  readonly run: (under: ArchiveUnderTest) => Promise<void>;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

export function jobEvent(number: number, more: Partial<JobCreated> = {}): JobCreated {
  const id = number.toString(16).padStart(16, "0");
  const json = `{"number":${number},"text":"ä"}`;
  const rest = { queue: "film", labels: {}, task: "cut", by: "token", created: 1_000, json };
  return { kind: "job", number, id, ...rest, ...more };
}

export function outcome(task: number, value = `"${task}"`, code = 0): OutcomeItem {
  return { task, attempt: 1, code, micros: 10, logBytes: 0, value: bytesOf(value) };
}

export function outcomesEvent(job: number, n: number, items: readonly OutcomeItem[]): ArchiveEvent {
  return { kind: "outcomes", job, n, worker: "w1", block: encodeOutcomes(items) };
}

/** Numbers of a page, and the total. */
export async function listed(
  archive: Archive,
  filter: string,
  more: Partial<JobsQuery> = {},
): Promise<[numbers: number[], total: number]> {
  const terms = parseFilter("jobs", filter, 0);
  const { items, total } = await archive.jobs({ limit: 20, order: "newest", terms, ...more });
  return [items.map(({ number }) => number), total];
}

const start = { index: 0, n: 0 };

export const archiveCases: readonly ArchiveCase[] = [
  {
    name: "R1: what was added is skipped when it is added again, also after it was opened again",
    async run({ open }) {
      const batches: readonly ArchiveEvent[][] = [
        [jobEvent(1)],
        [],
        [outcomesEvent(1, 0, [outcome(0)]), outcomesEvent(1, 1, [outcome(1)])],
      ];
      const addAll = (archive: Archive) => {
        for (const [i, events] of batches.entries()) archive.add(i + 1, 5, events);
      };
      const first = await open();
      addAll(first);
      addAll(first);
      await first.flush();
      equal(first.watermark, 3);
      await first[Symbol.asyncDispose]();
      await using second = await open();
      equal(second.watermark, 3);
      equal(second.added, 3);
      addAll(second);
      second.add(4, 6, [outcomesEvent(1, 0, [outcome(2)])]);
      deepEqual(
        (await second.blocks(1, start, 1e6)).map(({ index, n }) => [index, n]),
        [
          [3, 0],
          [3, 1],
          [4, 0],
        ],
      );
      deepEqual(await listed(second, ""), [[1], 1]);
    },
  },
  {
    name: "R1: an index that leaves others out is refused, unless they were skipped by name",
    async run({ open }) {
      const archive = await open();
      archive.add(1, 5, [jobEvent(1)]);
      throws(() => archive.add(3, 5, []), RangeError);
      archive.skipTo(9);
      deepEqual(archive.lacks, [{ first: 2, last: 9 }]);
      archive.add(10, 5, [jobEvent(2)]);
      await archive.flush();
      equal(archive.watermark, 10);
      await archive[Symbol.asyncDispose]();
      await using again = await open();
      deepEqual(again.lacks, [{ first: 2, last: 9 }]);
      equal(again.added, 10);
    },
  },
  {
    name: "R2: the watermark is said, and reaches what was added by itself",
    async run({ open }) {
      await using archive = await open();
      const said: number[] = [];
      const reached = new Promise<void>((done) => {
        archive.onWatermark((watermark) => {
          said.push(watermark);
          if (watermark === 20) done();
        });
      });
      for (let index = 1; index <= 20; index++) archive.add(index, 5, [jobEvent(index)]);
      await reached;
      deepEqual(
        said.toSorted((a, b) => a - b),
        said,
      );
    },
  },
  {
    name: "R3, R4: bytes may be used again after add, and a read sees what was added before it",
    async run({ open }) {
      await using archive = await open();
      const bytes = bytesOf("1\n22\n333\n");
      const block = encodeOutcomes([outcome(0, "true")]);
      archive.add(1, 5, [
        jobEvent(1),
        { kind: "inputs", job: 1, first: 0, count: 3, bytes },
        { kind: "outcomes", job: 1, n: 2, worker: "w", block },
      ]);
      bytes.fill(0);
      block.fill(0);
      equal(textOf((await archive.inputs(1, 1, 5)).bytes), "22\n333\n");
      equal(textOf((await archive.task(1, 0)).outcome?.value ?? bytes), "true");
    },
  },
  {
    name: "R5: lines of inputs come back exactly, over parts, and no more than are there",
    async run({ open }) {
      await using archive = await open();
      const lines = ["1\n", '"ä\\n"\n', '@{"stored":1}\n', "\n", "[ 1 ,2]\n"];
      archive.add(1, 5, [jobEvent(1), jobEvent(2)]);
      const part = (first: number, count: number): ArchiveEvent => {
        const bytes = bytesOf(lines.slice(first, first + count).join(""));
        return { kind: "inputs", job: 1, first, count, bytes };
      };
      archive.add(2, 5, [part(0, 2)]);
      archive.add(3, 5, [part(2, 1), part(3, 2)]);
      for (let first = 0; first < 6; first++) {
        for (let count = 0; count < 8; count++) {
          const found = await archive.inputs(1, first, count);
          const expected = lines.slice(first, first + count);
          equal(textOf(found.bytes), expected.join(""));
          deepEqual([found.first, found.count], [first, expected.length]);
        }
      }
      equal((await archive.inputs(2, 0, 1)).count, 0);
      equal((await archive.inputs(3, 0, 1)).count, 0);
    },
  },
  {
    name: "results come in the order of tasks, and those without one are named",
    async run({ open }) {
      await using archive = await open();
      archive.add(1, 5, [jobEvent(1)]);
      archive.add(2, 5, [outcomesEvent(1, 0, [outcome(7), outcome(3)])]);
      archive.add(3, 5, [outcomesEvent(1, 4, [outcome(300), outcome(0), outcome(4)])]);
      const page = await archive.results(1, { from: 0, count: 9 });
      deepEqual(
        page.items.map(({ task }) => task),
        [0, 3, 4, 7],
      );
      deepEqual(page.missing, [
        { first: 1, count: 2 },
        { first: 5, count: 2 },
        { first: 8, count: 1 },
      ]);
      equal(page.next, 9);
      const small = await archive.results(1, { from: 3, count: 5, bytesMax: 4 });
      deepEqual([small.items.map(({ task }) => task), small.missing, small.next], [[3], [], 4]);
      const bare = await archive.results(1, { from: 300, count: 1, values: false });
      equal(bare.items[0]?.value.length, 0);
      deepEqual((await archive.results(1, { from: 301, count: 2 })).missing, [
        { first: 301, count: 2 },
      ]);
    },
  },
  {
    name: "a task is told with its outcome, its worker and the attempts before",
    async run({ open }) {
      await using archive = await open();
      const lost: AttemptEnded = {
        kind: "attempt",
        job: 1,
        task: 5,
        attempt: 1,
        worker: "w9",
        code: 64,
        charged: false,
        started: 0,
        micros: 0,
        logBytes: 3,
        error: bytesOf("{}"),
      };
      archive.add(1, 5, [jobEvent(1)]);
      archive.add(2, 6, [lost, { ...lost, attempt: 2, charged: true, error: null, started: 4 }]);
      archive.add(3, 7, [outcomesEvent(1, 1, [{ ...outcome(5, "5"), attempt: 3, logBytes: 9 }])]);
      const { outcome: found, attempts } = await archive.task(1, 5);
      ok(found);
      deepEqual(
        { ...found, value: textOf(found.value) },
        {
          task: 5,
          attempt: 3,
          code: 0,
          micros: 10,
          logBytes: 9,
          value: "5",
          index: 3,
          n: 1,
          worker: "w1",
          wall: 7,
        },
      );
      equal(attempts.length, 2);
      const { kind: _, job: __, task: ___, error: ____, ...plain } = lost;
      deepEqual(
        { ...attempts[0], error: textOf(attempts[0]?.error ?? bytesOf("")) },
        {
          ...plain,
          ended: 6,
          error: "{}",
        },
      );
      deepEqual([attempts[1]?.attempt, attempts[1]?.charged, attempts[1]?.error], [2, true, null]);
      deepEqual(await archive.task(1, 6), { outcome: undefined, attempts: [] });
    },
  },
  {
    name: "tasks that failed or were cancelled are listed page by page",
    async run({ open }) {
      await using archive = await open();
      archive.add(1, 5, [jobEvent(1)]);
      archive.add(2, 5, [outcomesEvent(1, 0, [outcome(0), outcome(1, "{}", 1)])]);
      archive.add(3, 5, [outcomesEvent(1, 0, [outcome(2), outcome(3)])]);
      archive.add(4, 5, [outcomesEvent(1, 0, [outcome(9, "{}", 32), outcome(8, "{}", 1 | 128)])]);
      const all = await archive.endedTasks(1, { states: ["failed", "cancelled"], limit: 100 });
      deepEqual(all, {
        tasks: [
          { task: 1, attempt: 1, code: 1 },
          { task: 9, attempt: 1, code: 32 },
          { task: 8, attempt: 1, code: 129 },
        ],
        next: undefined,
      });
      const one = await archive.endedTasks(1, { states: ["failed"], limit: 1 });
      deepEqual(one, { tasks: [{ task: 1, attempt: 1, code: 1 }], next: { index: 2, n: 0 } });
      ok(one.next);
      const two = await archive.endedTasks(1, { states: ["failed"], limit: 5, after: one.next });
      deepEqual(two, { tasks: [{ task: 8, attempt: 1, code: 129 }], next: undefined });
      const good = await archive.endedTasks(1, { states: ["succeeded"], limit: 100 });
      deepEqual(
        good.tasks.map(({ task }) => task),
        [0, 2, 3],
      );
    },
  },
  {
    name: "attempts of a job are condensed for pictures: who ran what when, how it ended, which errors",
    async run({ open }) {
      await using archive = await open();
      const failed = (task: number, message: string) => ({
        ...outcome(task, JSON.stringify({ name: "E", message }), 1),
        micros: 200_000,
      });
      archive.add(1, 1_000, [jobEvent(1), jobEvent(2)]);
      archive.add(2, 2_000, [outcomesEvent(1, 0, [{ ...outcome(0), micros: 500_000 }])]);
      archive.add(3, 3_000, [
        outcomesEvent(1, 0, [failed(1, "frame 7 is bad"), failed(2, "frame 8 is bad")]),
        outcomesEvent(2, 1, [outcome(0)]),
        {
          kind: "attempt",
          job: 1,
          task: 3,
          attempt: 1,
          worker: "w2",
          code: 64,
          charged: true,
          started: 2_500,
          micros: 0,
          logBytes: 0,
          error: bytesOf('{"name":"worker_lost","message":"it fell silent"}'),
        },
      ]);
      const query = { from: 0, to: 4_000, spansMax: 10, cells: 4 };
      const { workers, total, spans, cells } = await archive.spans(1, query);
      deepEqual([workers, total, cells], [["w1", "w2"], 4, undefined]);
      deepEqual(spans, {
        worker: [0, 0, 0, 1],
        task: [0, 1, 2, 3],
        attempt: [1, 1, 1, 1],
        start: [1_500, 2_800, 2_800, 2_500],
        end: [2_000, 3_000, 3_000, 3_000],
        code: [0, 1, 1, 64],
      });
      const many = await archive.spans(1, { ...query, from: 1_750, spansMax: 2, cells: 3 });
      equal(many.spans, undefined);
      deepEqual(many.cells, {
        ms: 750,
        worker: [0, 0, 1],
        cell: [0, 1, 1],
        busyMs: [250, 400, 500],
        code: [0, 1, 64],
      });
      deepEqual([...(await archive.codes(1, 4))], [0, 1, 1, 255]);
      const { groups, looked, complete } = await archive.errors(1, 100);
      deepEqual([looked, complete], [3, true]);
      deepEqual(
        groups.map(({ reason, message, count, first }) => [reason, message, count, first]),
        [
          ["error", "frame 7 is bad", 2, { task: 1, attempt: 1, worker: "w1", at: 3_000 }],
          ["worker_lost", "it fell silent", 1, { task: 3, attempt: 1, worker: "w2", at: 3_000 }],
        ],
      );
      equal((await archive.errors(1, 1)).complete, false);
    },
  },
  {
    name: "a picture that is asked for again shows what came since",
    async run({ open }) {
      await using archive = await open();
      const look = async () => {
        const query = { from: 0, to: 9_000, spansMax: 10, cells: 4 };
        const { spans } = await archive.spans(1, query);
        return [spans?.task.toSorted(), [...(await archive.codes(1, 4))]];
      };
      archive.add(1, 2_000, [jobEvent(1), outcomesEvent(1, 0, [outcome(0)])]);
      deepEqual(await look(), [[0], [0, 255, 255, 255]]);
      deepEqual(await look(), [[0], [0, 255, 255, 255]]);
      const retried = { task: 2, attempt: 1, worker: "w2", code: 1, charged: true };
      archive.add(2, 3_000, [
        outcomesEvent(1, 0, [outcome(1), outcome(3, "{}", 1)]),
        { kind: "attempt", job: 1, ...retried, started: 0, micros: 9, logBytes: 0, error: null },
      ]);
      deepEqual(await look(), [
        [0, 1, 2, 3],
        [0, 0, 255, 1],
      ]);
      archive.add(3, 4_000, [outcomesEvent(1, 0, [{ ...outcome(2), attempt: 2 }])]);
      deepEqual(await look(), [
        [0, 1, 2, 2, 3],
        [0, 0, 0, 1],
      ]);
    },
  },
  {
    name: "jobs are found by number, by id, and by the beginning of an id",
    async run({ open }) {
      await using archive = await open();
      archive.add(1, 5, [
        jobEvent(1, { id: "abcd000000000001" }),
        jobEvent(2, { id: "abcd000000000002" }),
        jobEvent(3, { id: "abce000000000003", labels: { shot: "42", take: "ä/1" } }),
      ]);
      deepEqual(
        (await archive.job("abcd")).map(({ number }) => number),
        [1, 2],
      );
      deepEqual(
        (await archive.job("abce")).map(({ number }) => number),
        [3],
      );
      const [found] = await archive.job(3);
      deepEqual(found?.labels, { shot: "42", take: "ä/1" });
      equal(found?.json, jobEvent(3).json);
      deepEqual(await archive.job("ffff"), []);
      deepEqual(await archive.job(4), []);
    },
  },
  {
    name: "pruning takes retired jobs, those that ended first, with all that belongs to them",
    async run({ open }) {
      const archive = await open();
      const job = (number: number): ArchiveEvent[] => [
        jobEvent(number, { labels: { only: String(number) } }),
        { kind: "inputs", job: number, first: 0, count: 1, bytes: bytesOf(`${" ".repeat(999)}\n`) },
        outcomesEvent(number, number, [outcome(0), outcome(1)]),
        { kind: "jobEnded", job: number, state: "succeeded", json: "{}" },
      ];
      for (let number = 1; number <= 6; number++) archive.add(number, number * 10, job(number));
      archive.add(
        7,
        70,
        [1, 2, 4, 5].map((each) => ({ kind: "retired", job: each })),
      );
      deepEqual(await archive.prune({}), { jobs: 0, bytes: 0 });
      const before = await archive.usage();
      const old = await archive.prune({ endedBefore: 25 });
      equal(old.jobs, 2);
      equal((await archive.usage()).bytes, before.bytes - old.bytes);
      equal((await archive.usage()).jobs, 4);
      equal((await archive.prune({ bytesMax: before.bytes - old.bytes - 1 })).jobs, 1);
      deepEqual(await listed(archive, ""), [[6, 5, 3], 3]);
      equal((await archive.prune({ bytesMax: 0 })).jobs, 1);
      for (const gone of [1, 2, 4, 5]) {
        deepEqual(await archive.job(gone), []);
        deepEqual(await archive.blocks(gone, start, 1e6), []);
        equal((await archive.inputs(gone, 0, 1)).count, 0);
        deepEqual(await listed(archive, `label.only=${gone}`), [[], 0]);
        deepEqual(await listed(archive, `label.only=${gone} task:cut`), [[], 0]);
      }
      equal((await archive.inputs(3, 0, 1)).count, 1);
      equal((await archive.results(6, { from: 0, count: 2 })).items.length, 2);
      await archive.flush();
      await archive[Symbol.asyncDispose]();
      await using again = await open();
      deepEqual(await listed(again, "task:cut"), [[6, 3], 2]);
    },
  },
  {
    name: "blocks are given in the order recorded, in pages of bytes, each position once",
    async run({ open }) {
      await using archive = await open();
      archive.add(1, 5, [jobEvent(1), jobEvent(2)]);
      const expected: string[] = [];
      for (let index = 2; index < 40; index++) {
        const events = [0, 3, 5].flatMap((n) =>
          [1, 2].map((job) => outcomesEvent(job, n * 2 + job, [outcome(index * 100 + n)])),
        );
        archive.add(index, 5, events);
        expected.push(...[1, 7, 11].map((n) => `${index}.${n}`));
      }
      const seen: string[] = [];
      let after = start;
      for (;;) {
        const page = await archive.blocks(1, after, 100);
        seen.push(...page.map(({ index, n }) => `${index}.${n}`));
        const last = page.at(-1);
        if (!last) break;
        after = last;
      }
      deepEqual(seen, expected);
    },
  },
  {
    name: "what was added and flushed is there after the process died, closed or not",
    async run({ open }) {
      const archive = await open();
      archive.add(1, 5, [jobEvent(1), outcomesEvent(1, 1, [outcome(0, "1")])]);
      await archive.flush();
      await archive[Symbol.asyncDispose]();
      await archive[Symbol.asyncDispose]();
      await using again = await open();
      equal((await again.results(1, { from: 0, count: 1 })).items.length, 1);
      await rejects(async () => {
        again.add(7, 5, []);
      }, RangeError);
    },
  },
];

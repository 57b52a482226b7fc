// What every archive must do with the timeline: see docs/events.md for T1 … T5 and the floor.

import { deepEqual, equal, ok } from "node:assert/strict";
import { endReasons } from "../../protocol/model.ts";
import { limits } from "../../protocol/limits.ts";
import type { Archive, ArchiveEvent, AttemptEnded, Noted, TimelineRow } from "./archive.ts";
import { jobEvent, outcome, outcomesEvent } from "./conformance.ts";
import type { ArchiveCase } from "./conformance.ts";

const start = { index: 0, n: 0 };
const view = { id: "01", task: "render", queue: "film", tasks: 3, open: false };
const counts = { succeeded: 2, failed: 1, cancelled: 0 };

function job(number: number): ArchiveEvent {
  return jobEvent(number, { json: JSON.stringify(view) });
}

export function noteEvent(worker: string): Noted {
  const nobody = { job: "", queue: "", master: "" };
  const text = `Worker ${worker} has joined`;
  return { kind: "note", about: "worker.joined", level: "info", text, worker, ...nobody };
}

function attempt(number: number, task: number, more: Partial<AttemptEnded> = {}): ArchiveEvent {
  const error = new TextEncoder().encode('{"name":"Error","message":"no light\\nat all"}');
  const told = { worker: "w1", code: endReasons.error.code, charged: true, error };
  const rest = { started: 1, micros: 2, logBytes: 3 };
  return { kind: "attempt", job: number, task, attempt: 1, ...told, ...rest, ...more };
}

const idOf = ({ index, n }: TimelineRow) => `${index}.${n}`;

async function all(archive: Archive): Promise<readonly TimelineRow[]> {
  return (await archive.timelineAfter(start, 10_000)).rows;
}

export const timelineCases: readonly ArchiveCase[] = [
  {
    name: "rows of the timeline follow from what is added, in its order, each in its place",
    async run({ open }) {
      await using archive = await open();
      archive.add(1, 1_000, [noteEvent("w1"), job(1), attempt(1, 0)]);
      archive.add(2, 2_000, []);
      const failed = outcome(1, '{"message":"dark"}', endReasons.exit.code);
      archive.add(3, 3_000, [
        outcomesEvent(1, 0, [outcome(0), failed, outcome(2)]),
        {
          kind: "jobEnded",
          job: 1,
          state: "failed",
          json: JSON.stringify({ ...view, counts }),
        },
      ]);
      const { rows, through, floor } = await archive.timelineAfter(start, 100);
      deepEqual(
        rows.map((row) => [idOf(row), row.wall, row.kind, row.level, row.text]),
        [
          ["1.1", 1_000, "worker.joined", "info", "Worker w1 has joined"],
          [
            "1.2",
            1_000,
            "job.created",
            "info",
            'Job 0000000000000001 "render" was submitted: 3 tasks',
          ],
          [
            "1.3",
            1_000,
            "attempt.failed",
            "warn",
            "0000000000000001/0 failed in attempt 1 on w1: its code threw an error: no light; it tries again",
          ],
          [
            "3.1",
            3_000,
            "attempt.failed",
            "bad",
            "0000000000000001/1 failed in attempt 1 on w1: its command exited with a code other than 0: dark",
          ],
          ["3.2", 3_000, "job.ended", "bad", "Job 0000000000000001 failed: 3 tasks, 1 failed"],
        ],
      );
      deepEqual([through, floor], [{ index: 4, n: 0 }, start]);
      deepEqual(rows[2] && [rows[2].job, rows[2].worker, rows[2].queue], [
        "0000000000000001",
        "w1",
        "film",
      ]);
      const page = await archive.timelineAfter({ index: 1, n: 1 }, 2);
      deepEqual([page.rows.map(idOf), page.through], [["1.2", "1.3"], { index: 1, n: 3 }]);
      const beyond = await archive.timelineAfter({ index: 9, n: 1 }, 2);
      deepEqual([beyond.rows, beyond.through], [[], { index: 9, n: 1 }]);
    },
  },
  {
    name: "of a job's attempts after which its tasks try again, the timeline has the first three",
    async run({ open }) {
      const archive = await open();
      archive.add(1, 1, [job(1), job(2), attempt(1, 0), attempt(1, 1, { charged: false })]);
      await archive.flush();
      await archive[Symbol.asyncDispose]();
      await using again = await open();
      again.add(2, 2, [attempt(1, 2), attempt(1, 3), attempt(1, 4), attempt(2, 5)]);
      const failed = (await all(again)).filter(({ kind }) => kind === "attempt.failed");
      deepEqual(
        failed.map(({ text }) => text.split(" ", 1)[0]?.slice(-3)),
        ["1/0", "1/2", "1/3", "2/5"],
      );
    },
  },
  {
    name: "rows are bounded by kind and time; what is left out is said at once, and counted after it",
    async run({ open }) {
      const most = limits.timelineRowsMax;
      const archive = await open();
      const many = Array.from({ length: most }, (_, i) => noteEvent(`w${i}`));
      archive.add(1, 1_000, many);
      equal((await all(archive)).length, most);
      archive.add(2, 2_000, [noteEvent("x"), job(1), noteEvent("y")]);
      await archive.flush();
      archive.add(3, 3_000, [noteEvent("z")]);
      // What was not flushed may be lost; the same batch then makes the same rows.
      await archive[Symbol.asyncDispose]();
      await using again = await open();
      if (again.added < 3) again.add(3, 3_000, [noteEvent("z")]);
      const words = (rows: readonly TimelineRow[]) =>
        rows.filter(({ index }) => index > 1).map((row) => `${idOf(row)} ${row.kind} ${row.text}`);
      const full = `2.1 worker.joined More than ${most} events "worker.joined" came within 10 s: the rest of them is left out`;
      const seen = words(await all(again));
      equal(seen[0], full);
      ok(seen[1]?.startsWith("2.2 job.created"));
      equal(seen.length, 2);
      again.add(4, 9_999, []);
      again.add(5, limits.timelineWindowMs, []);
      again.add(6, limits.timelineWindowMs, [noteEvent("later")]);
      deepEqual(words(await all(again)).slice(2), [
        '5.1 worker.joined 3 more events "worker.joined" came and are left out here',
        "6.1 worker.joined Worker later has joined",
      ]);
    },
  },
  {
    name: "the timeline is given newest first, filtered, with the total of all that fit",
    async run({ open }) {
      await using archive = await open();
      archive.add(1, 1_000, [job(1), job(16)]);
      archive.add(2, 2_000, [noteEvent("w1"), noteEvent("w2")]);
      archive.add(3, 3_000, [noteEvent("w1"), attempt(1, 0)]);
      const ask = async (terms: Parameters<Archive["timeline"]>[0]["terms"], limit = 10) => {
        const { rows, total } = await archive.timeline({ limit, terms });
        return [...rows.map(idOf), total];
      };
      const is = (field: string, ...values: string[]) =>
        ({ kind: "is", field, not: false, values }) as const;
      deepEqual(await ask([]), ["3.2", "3.1", "2.2", "2.1", "1.2", "1.1", 6]);
      deepEqual(await ask([is("worker", "w1")]), ["3.2", "3.1", "2.1", 3]);
      deepEqual(await ask([is("worker", "w1"), is("kind", "worker.joined")], 1), ["3.1", 2]);
      deepEqual(await ask([is("job", "000000000000001")]), ["1.2", 1]);
      deepEqual(await ask([is("job", "0000000000000001", "0000000000000010")]), [
        "3.2",
        "1.2",
        "1.1",
        3,
      ]);
      deepEqual(await ask([{ ...is("kind", "job.created", "attempt.failed"), not: true }]), [
        "3.1",
        "2.2",
        "2.1",
        3,
      ]);
      deepEqual(await ask([{ ...is("job", "0"), not: true }]), ["3.1", "2.2", "2.1", 3]);
      deepEqual(await ask([{ kind: "after", field: "at", not: false, at: 1_999 }]), [
        "3.2",
        "3.1",
        "2.2",
        "2.1",
        4,
      ]);
      deepEqual(await ask([{ kind: "before", field: "at", not: false, at: 2_000 }]), [
        "1.2",
        "1.1",
        2,
      ]);
      const second = await archive.timeline({ before: { index: 2, n: 2 }, limit: 2, terms: [] });
      deepEqual([second.rows.map(idOf), second.total], [["2.1", "1.2"], 6]);
    },
  },
  {
    name: "rows of jobs are pruned apart from the rest, and the floor says up to where rows may be missing",
    async run({ open }) {
      const archive = await open();
      archive.add(1, 1, [noteEvent("w1")]);
      for (let index = 2; index < 12; index++) archive.add(index, index, [job(index)]);
      archive.add(12, 12, [noteEvent("w2")]);
      await archive.prune({ rowsMax: 3 });
      const kept = ["1.1", "9.1", "10.1", "11.1", "12.1"];
      deepEqual((await all(archive)).map(idOf), kept);
      deepEqual((await archive.timelineAfter(start, 1)).floor, { index: 8, n: 1 });
      await archive.flush();
      await archive[Symbol.asyncDispose]();
      await using again = await open();
      deepEqual((await all(again)).map(idOf), kept);
      const { floor, total } = await again.timeline({ limit: 1, terms: [] });
      deepEqual([floor, total], [{ index: 8, n: 1 }, 5]);
    },
  },
  {
    name: "an archive that went on without what came before has a floor there",
    async run({ open }) {
      const archive = await open();
      archive.add(1, 1, [noteEvent("w1")]);
      archive.skipTo(9);
      archive.add(10, 10, [noteEvent("w2"), attempt(7, 1)]);
      await archive.flush();
      await archive[Symbol.asyncDispose]();
      await using again = await open();
      const { rows, floor } = await again.timelineAfter(start, 10);
      // Of a job that it never heard of it cannot tell.
      deepEqual([rows.map(idOf), floor], [["1.1", "10.1"], { index: 10, n: 0 }]);
    },
  },
];

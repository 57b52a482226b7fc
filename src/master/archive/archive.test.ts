import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { parseFilter } from "../../protocol/filter.ts";
import { encodeOutcomes } from "../../protocol/outcome-block.ts";
import type { Archive, ArchiveEvent, JobsQuery, TimelineQuery } from "./archive.ts";
import { archiveCases, jobEvent, outcome, type ArchiveUnderTest } from "./conformance.ts";
import { noteEvent, timelineCases } from "./conformance-timeline.ts";
import { listCases } from "./conformance-lists.ts";
import { MemoryArchive, MemoryArchiveDisk } from "./memory-archive.ts";
import { openArchive } from "./sqlite-archive.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function sqlite(): ArchiveUnderTest {
  const folder = mkdtempSync(join(tmpdir(), "skein-archive-"));
  folders.push(folder);
  return { open: () => openArchive({ path: join(folder, "archive.db"), journalId: "j1" }) };
}

function memory(): ArchiveUnderTest {
  const disk = new MemoryArchiveDisk();
  return { open: async () => new MemoryArchive(disk, { autoCommit: false }) };
}

describe.each([
  ["sqlite", sqlite],
  ["memory", memory],
])("an archive in %s", (name, make) => {
  const cases = [...archiveCases, ...listCases, ...timelineCases];
  test.each(cases.map((each) => [each.name, each] as const))("%s", async (title, each) => {
    // Nothing calls `commit` on this one by itself.
    if (name === "memory" && title.startsWith("R2: the watermark is said")) {
      await each.run({ open: async () => new MemoryArchive() });
    } else await each.run(make());
  });
});

// ── the same steps on both give the same answers ─────────────────────────────────────────

type Step =
  | { kind: "batch"; events: ArchiveEvent[] }
  | { kind: "reopen" }
  | { kind: "prune"; bytesMax: number; rowsMax?: number }
  | { kind: "jobs"; query: JobsQuery }
  | { kind: "results"; job: number; from: number; count: number; bytesMax: number }
  | { kind: "task"; job: number; task: number }
  | { kind: "inputs"; job: number; first: number; count: number }
  | { kind: "blocks"; job: number; index: number; bytesMax: number }
  | { kind: "ended"; job: number; limit: number }
  | { kind: "span"; index: number; limit: number }
  | { kind: "timeline"; query: TimelineQuery };

const queues = ["film", "night"];
const states = ["succeeded", "failed", "cancelled"] as const;
const jobsMax = 4;
const job = fc.integer({ min: 1, max: jobsMax });
const farTasks = [255, 256, 257, 2047, 2048, 131_071, 131_072, 1_048_576, 9_999_999];
/** Few tasks near each other, and some far away, so that blocks stand in bins of all sizes. */
const task = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constantFrom(...farTasks));
const bytes = fc.uint8Array({ maxLength: 20 }).map((raw) => raw.map((byte) => (byte % 90) + 33));

const someTerms = [
  ...queues.map((queue) => `queue:${queue}`),
  ...["label.a=0", "label.a=1", "label.a=0,1", "label.b=x", "label.b=x,y"],
  ...["created>1970-01-01T00:00:01Z", "ended<1970-01-01T00:00:00.005Z"],
  ...["ended>1970-01-01T00:00:00.005Z", "task:cut", "by:ana,token"],
];
const termsOf = (filter: string) => parseFilter("jobs", filter, 0);

const stepsArbitrary = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("batch" as const),
        seeds: fc.array(
          fc.record({
            what: fc.nat({ max: 5 }),
            job,
            tasks: fc.uniqueArray(task, { minLength: 1, maxLength: 6 }),
            value: bytes,
            code: fc.constantFrom(0, 0, 0, 1, 13, 32, 128, 129),
          }),
          { maxLength: 6, size: "max" },
        ),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("prune" as const),
        bytesMax: fc.integer({ min: 0, max: 3000 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("jobs" as const),
        query: fc.record(
          {
            limit: fc.integer({ min: 1, max: 4 }),
            order: fc.constantFrom("newest" as const, "oldest" as const),
            beyond: job,
            terms: fc
              .array(fc.tuple(fc.constantFrom("", "!"), fc.constantFrom(...someTerms)), {
                maxLength: 3,
              })
              .map((all) => termsOf(all.map((pair) => pair.join("")).join(" "))),
            states: fc.subarray([...states, "unfinished" as const]),
          },
          { requiredKeys: ["limit", "order", "terms"] },
        ),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("results" as const),
        job,
        from: task,
        count: fc.constantFrom(1, 5, 300, 3000),
        bytesMax: fc.constantFrom(1, 30, 10_000),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("task" as const), job, task }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("inputs" as const),
        job,
        first: fc.integer({ min: 0, max: 12 }),
        count: fc.integer({ min: 0, max: 12 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("blocks" as const),
        job,
        index: fc.integer({ min: 0, max: 20 }),
        bytesMax: fc.constantFrom(0, 40, 10_000),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("ended" as const),
        job,
        limit: fc.integer({ min: 1, max: 10 }),
      }),
    },
  ),
  { maxLength: 40, size: "max" },
);

interface Seed {
  readonly what: number;
  readonly job: number;
  readonly tasks: readonly number[];
  readonly value: Uint8Array;
  readonly code: number;
}

interface Known {
  lines: number;
  readonly done: Set<number>;
  ended: boolean;
  retired: boolean;
}

/** Turns what chance says into events that a master could have recorded. */
class Scenario {
  readonly #known = new Map<number, Known>();

  event(seed: Seed, n: number): ArchiveEvent[] {
    const { job: number, tasks, value, code } = seed;
    const state = this.#known.get(number);
    if (!state) {
      this.#known.set(number, { lines: 0, done: new Set(), ended: false, retired: false });
      const queue = queues[code % 2] ?? "film";
      const labels = { a: String(number % 2), ...(code > 1 ? { b: "x" } : {}) };
      return [jobEvent(number, { queue, labels, created: number * 7 })];
    }
    // Nothing is recorded of a job that has left the state; it may be pruned already.
    if (state.retired) return [];
    if (seed.what === 0) {
      state.retired = state.ended;
      if (state.retired) return [{ kind: "retired", job: number }];
      state.ended = true;
      const end = states[code % 3] ?? "failed";
      return [{ kind: "jobEnded", job: number, state: end, json: `{"n":${n}}` }];
    }
    if (seed.what === 1) {
      const count = tasks.length;
      const lines = Buffer.concat(tasks.map(() => Buffer.concat([value, Buffer.from("\n")])));
      const first = state.lines;
      state.lines += count;
      return [{ kind: "inputs", job: number, first, count, bytes: new Uint8Array(lines) }];
    }
    const [one = 0] = tasks;
    if (seed.what === 2) {
      const more = {
        worker: `w${code}`,
        code: 64,
        charged: code === 1,
        error: code > 1 ? value : null,
      };
      const rest = { started: code, micros: code * 3, logBytes: n, attempt: 1 };
      return [{ kind: "attempt", job: number, task: one, ...more, ...rest }];
    }
    if (seed.what === 5) return [noteEvent(`w${code}`)];
    const fresh = tasks.filter((each) => !state.done.has(each));
    for (const each of fresh) state.done.add(each);
    const items = fresh.map((each) => ({ ...outcome(each), value, code }));
    const block = encodeOutcomes(items);
    return items.length === 0 ? [] : [{ kind: "outcomes", job: number, n, worker: "w", block }];
  }
}

/** Asked at the end, so that nothing that went wrong on the way stays unseen. */
function allQuestions(): Step[] {
  const steps: Step[] = [{ kind: "prune", bytesMax: 1e9 }];
  const is = { kind: "is", field: "worker", values: ["w1", "w32"] } as const;
  for (const terms of [[], [{ ...is, not: false }], [{ ...is, not: true }]]) {
    steps.push({ kind: "timeline", query: { limit: 7, terms } });
    steps.push({ kind: "timeline", query: { limit: 500, terms } });
  }
  for (const index of [0, 5, 20]) steps.push({ kind: "span", index, limit: index === 0 ? 500 : 3 });
  steps.push({ kind: "prune", bytesMax: 1e9, rowsMax: 5 }, { kind: "span", index: 0, limit: 500 });
  for (let each = 1; each <= jobsMax; each++) {
    for (const far of farTasks) steps.push({ kind: "task", job: each, task: far });
    for (const from of [0, 250, 131_000, 9_999_000]) {
      steps.push({ kind: "results", job: each, from, count: 4096, bytesMax: 1e6 });
    }
    steps.push({ kind: "ended", job: each, limit: 1000 });
  }
  for (const queue of ["", ...queues.map((name) => `queue:${name}`)]) {
    for (const label of ["", "label.a=0", "label.a=1", "label.b=x"]) {
      for (const state of [undefined, "unfinished" as const, ...states]) {
        const asked = { limit: 3, order: "newest" as const, terms: termsOf(`${queue} ${label}`) };
        steps.push({ kind: "jobs", query: { ...asked, ...(state && { states: [state] }) } });
      }
    }
  }
  for (const term of someTerms) {
    for (const filter of [term, `!${term}`]) {
      const asked = { limit: 3, order: "oldest" as const, terms: termsOf(filter) };
      steps.push({ kind: "jobs", query: asked });
    }
  }
  return steps;
}

async function ask(archive: Archive, step: Step): Promise<unknown> {
  switch (step.kind) {
    case "prune":
      return [await archive.prune(step), (await archive.usage()).bytes];
    case "jobs":
      return archive.jobs(step.query);
    case "results":
      return archive.results(step.job, step);
    case "task":
      return archive.task(step.job, step.task);
    case "inputs":
      return archive.inputs(step.job, step.first, step.count);
    case "blocks":
      return archive.blocks(step.job, { index: step.index, n: 1 }, step.bytesMax);
    case "span":
      return archive.timelineAfter({ index: step.index, n: 1 }, step.limit);
    case "timeline":
      return archive.timeline(step.query);
    case "ended":
      return archive.endedTasks(step.job, { states: ["failed", "cancelled"], limit: step.limit });
    default:
      return archive.job(1);
  }
}

test("any history gives the same answers as the naive model", async () => {
  await fc.assert(
    fc.asyncProperty(stepsArbitrary, async (steps) => {
      const [real, model] = [sqlite(), memory()];
      let both = [await real.open(), await model.open()] as const;
      const scenario = new Scenario();
      try {
        for (const step of steps) {
          if (step.kind === "reopen") {
            await Promise.all(both.map((each) => each[Symbol.asyncDispose]()));
            both = [await real.open(), await model.open()];
            expect(both[0].added).toBe(both[1].added);
          } else if (step.kind === "batch") {
            const index = both[0].added + 1;
            const events = step.seeds.flatMap((seed, n) => scenario.event(seed, n));
            for (const each of both) each.add(index, index * 10, events);
          } else {
            const [given, expected] = await Promise.all(both.map((each) => ask(each, step)));
            expect(plain(given)).toEqual(plain(expected));
          }
        }
        for (const step of allQuestions()) {
          const [given, expected] = await Promise.all(both.map((each) => ask(each, step)));
          expect(plain(given)).toEqual(plain(expected));
        }
      } finally {
        await Promise.all(both.map((each) => each[Symbol.asyncDispose]()));
      }
    }),
    { numRuns: Number(process.env["RUNS"] ?? 30), endOnFailure: true },
  );
}, 120_000);

/** Bytes as numbers, whichever class of view they come in. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, each: unknown) => (ArrayBuffer.isView(each) ? bytesAs(each) : each)),
  );
}

function bytesAs(view: ArrayBufferView): string {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("hex");
}

// The verbs of scenarios. Requests of one block are decided in one turn, in order (L1); every other verb lets
// the loop do what waits first.

import { crc32 } from "node:zlib";
import type { RequestKey } from "../../src/core/entry.ts";
import { reconcile } from "../../src/core/reconcile.ts";
import type { HeldRange } from "../../src/core/reconcile.ts";
import type { Answer } from "../../src/core/refusal.ts";
import type { StartedAttempt } from "../../src/core/commands/worker.ts";
import type { PartInput } from "../../src/core/commands/submit.ts";
import type { Request, AnswerOf } from "../../src/core/machine.ts";
import { attemptOf } from "../../src/core/columns.ts";
import { endReasons } from "../../src/protocol/model.ts";
import type { QueueSettings } from "../../src/protocol/model.ts";
import { encodeOutcomes, encodeStored, storedBit } from "../../src/protocol/outcome-block.ts";
import type { OutcomeItem } from "../../src/protocol/outcome-block.ts";
import { parseDuration, parseTasks } from "./script.ts";
import type { Command } from "./script.ts";
import { showExplanation, showRange, showState } from "./show.ts";
import { amountsIn, labelsIn, specIn } from "./spec.ts";
import type { JournalFault } from "./machine.ts";
import { newWorker } from "./world.ts";
import type { ScriptWorker, World } from "./world.ts";

type Verb = (world: World, command: Command) => void;

export const requests: ReadonlyMap<string, Verb> = new Map(
  Object.entries({
    worker: registerWorker,
    submit: submitJob,
    part: sendPart,
    close: closeJob,
    report: reportEnds,
    return: returnAttempts,
    silent: (world, { words }) => news(world, words[0] ?? "", "silent"),
    heard: (world, { words }) => news(world, words[0] ?? "", "heard"),
    lose: loseWorker,
    cancel: cancel,
    queue: setQueue,
    pause: (world, command) => setQueue(world, command, true),
    resume: (world, command) => setQueue(world, command, false),
    drain: (world, command) => drainWorker(world, command, false),
    undrain: (world, command) => drainWorker(world, command, true),
    snapshot: noteSnapshot,
    trim: (world, { words }) => ask(world, { kind: "trim", below: Number(words[0]) }),
  } satisfies Record<string, Verb>),
);

export const controls: ReadonlyMap<string, Verb> = new Map(
  Object.entries({
    advance: (world, { words }) => world.clock.pass(parseDuration(words[0] ?? "")),
    restart: (world, { words }) => world.restart(words[0] === "journal" ? "journal" : "snapshot"),
    explain: explainTask,
    state: sayState,
    journal: (world, { words }) => void world.journal.faults.push(words[0] as JournalFault),
    dispatch: (world, { words }) => void (world.dispatchMax = Number(words[0])),
  } satisfies Record<string, Verb>),
);

type Yes<R extends Request> = Extract<AnswerOf<R>, { readonly ok: true }>;

/** Asks the loop; only what is not simply "yes" is said. */
function ask<R extends Request>(
  world: World,
  request: R,
  done: (answer: Yes<R>) => void = () => {},
): void {
  world.loop.request(request, 64, (answer) => {
    const given: Answer = answer;
    if (given.ok) return done(answer as Yes<R>); // its `ok` is true
    const again = given.retryAfter === undefined ? "" : ` (again in ${given.retryAfter} s)`;
    world.say(`!! ${request.kind}: ${given.code}: ${given.message}${again}`);
  });
}

// ── jobs ─────────────────────────────────────────────────────────────────────────────────

function submitJob(world: World, command: Command): void {
  const { words, options } = command;
  const [name = ""] = words;
  const open = words.includes("open");
  const archived = new Map<string, string>();
  const spec = specIn(command, (after) => {
    if (!world.isNamed(after)) return "f".repeat(16);
    const id = world.idOf(after);
    const known = world.loop.peek((state) => state.jobNumbers.has(id));
    if (!known) archived.set(id, options.get("archived") ?? "succeeded");
    return id;
  });
  const count = Number(options.get("tasks") ?? (open ? 0 : 1));
  const parts = count > 0 ? [inputs(count, options.get("inputs"))] : [];
  const key = keyIn(options);
  const strictQueues = words.includes("strict");
  const id = world.newJobId(name);
  const request = { kind: "submit", id, spec, open, key, parts, archived, strictQueues } as const;
  ask(world, request, ({ job, isNew }) => {
    if (!isNew) world.say(`== the key names ${world.names.job(job)}`);
  });
}

/** "key=c1:7" is an SDK's, "key=nightly" a person's own; "body" stands for the request's bytes. */
function keyIn(options: Command["options"]): RequestKey | null {
  const text = options.get("key");
  if (text === undefined) return null;
  const fingerprint = options.get("body") ?? "same";
  const match = /^(\w+):(\d+)$/.exec(text);
  if (!match?.[1]) return { kind: "user", key: text, fingerprint };
  return { kind: "client", client: match[1], n: Number(match[2]), fingerprint };
}

function inputs(count: number, text = "input"): PartInput {
  const lines = Array.from({ length: count }, (_, i) => `"${text} ${i}"\n`).join("");
  const bytes = new TextEncoder().encode(lines);
  return { bytes, count, sum: crc32(bytes), payloads: [] };
}

function sendPart(world: World, { words, options }: Command): void {
  const [name = "", part] = words;
  const input = inputs(Number(options.get("tasks") ?? 1), options.get("inputs"));
  ask(world, { kind: "part", job: world.jobNumber(name), part: Number(part), input });
}

function closeJob(world: World, { words, options }: Command): void {
  const parts = options.get("parts");
  const job = world.jobNumber(words[0] ?? "");
  ask(world, { kind: "close", job, parts: parts === undefined ? null : Number(parts) });
}

function cancel(world: World, { words }: Command): void {
  for (const word of words) {
    const { job, first } = parseTasks(word);
    const number = world.jobNumber(job);
    if (first === null) ask(world, { kind: "cancelJob", job: number, reason: "cancelled" });
    else ask(world, { kind: "cancelTask", job: number, task: first });
  }
}

function setQueue(world: World, { words, options }: Command, paused: boolean | null = null): void {
  const [name = "", ...why] = words;
  const set = (option: string, unit: number) => {
    const text = options.get(option);
    return text === undefined ? undefined : Math.round(Number(text) * unit);
  };
  const given = { weight: set("weight", 1000), runningMax: set("running", 1) };
  const all = { ...given, queuedMax: set("queued", 1) };
  const known = Object.entries(all).filter(([, value]) => value !== undefined);
  const settings = Object.fromEntries(known) as Partial<QueueSettings>;
  const who = { name, namespace: "default", by: "local" };
  ask(world, { kind: "setQueue", ...who, settings, paused, pausedReason: why.join(" ") });
}

function noteSnapshot(world: World): void {
  const { durableIndex: index } = world.loop;
  ask(world, { kind: "noteSnapshot", index, digest: "0".repeat(16), file: `${index}.snapshot` });
}

// ── workers ──────────────────────────────────────────────────────────────────────────────

/** Registers; a known worker again, in its old life or (life=2) in a new one. */
function registerWorker(world: World, { words, options, sections }: Command): void {
  const [id = ""] = words;
  const before = world.workers.get(id);
  const {
    life: lifeText,
    held: heldText = "",
    started = "",
    ...offer
  } = Object.fromEntries(options);
  const life = Number(lifeText ?? before?.life ?? 1);
  const same = before !== undefined && before.life === life;
  const amounts = Object.keys(offer).length > 0 ? amountsIn(offer) : (before?.info.amounts ?? {});
  const labels = sections.has("labels") ? labelsIn(sections) : (before?.info.labels ?? {});
  const made = newWorker(id, life, { amounts, labels });
  const worker = same ? { ...made, reports: before.reports } : made;
  const held = heldText === "" ? [] : heldText.split(",").map((word) => rangeOf(world, word));
  const ran = started === "" ? [] : started.split(",").map((word) => attemptIn(world, word));
  const otherAnswers = words.includes("twin");
  const request = { kind: "register", info: worker.info, otherAnswers, started: ran } as const;
  ask(world, request, ({ worker: number }) => {
    world.workers.set(id, worker);
    settleRegistration(world, number, worker, held);
  });
}

/** As sessions.ts does it: what is held is settled, then the verdict, then orders again (W2, W3). */
function settleRegistration(
  world: World,
  number: number,
  { info }: ScriptWorker,
  held: readonly HeldRange[],
): void {
  const { incarnation } = info;
  ask(world, { kind: "settleHeld", worker: number, incarnation, held }, () => {
    world.loop.read((state) => {
      const worker = state.workers.get(number);
      if (!worker) return;
      world.hearing.add(number);
      const { kill, resend } = reconcile(state, worker, held);
      const killed = kill.map((range) => ` ${showRange(world.names, range)}@${range.attempt}`);
      if (held.length > 0 || worker.reports > 0) {
        const ends = killed.join("") || " nothing";
        world.say(`-> ${info.id}: verdict kill${ends}, recorded ${worker.reports}`);
      }
      for (const range of resend) {
        const what = `${showRange(world.names, range)}@${range.attempt} fence ${range.fence}`;
        world.say(`-> ${info.id}: start ${what}`);
      }
    }, world.loop.poke.bind(world.loop));
  });
}

function rangeOf(world: World, text: string): HeldRange {
  const { job, first, last, attempt } = parseTasks(text);
  if (first === null || last === null) throw new Error(`"${text}" names no task`);
  const number = /^job\d+$/.test(job) ? Number(job.slice(3)) : world.jobNumber(job);
  const known = world.loop.peek((state) => state.jobs.get(number));
  const latest = known === undefined ? 1 : attemptOf(known.tasks, first);
  return { job: number, first, count: last - first + 1, attempt: attempt ?? latest };
}

function attemptIn(world: World, text: string): StartedAttempt {
  const { job, first, attempt } = rangeOf(world, text);
  return [job, first, attempt];
}

function scriptWorker(world: World, id: string): ScriptWorker {
  const worker = world.workers.get(id);
  if (!worker) throw new Error(`no worker is named "${id}"`);
  return worker;
}

/** "report w1 a/0..1 succeeded a/2 error ms=5": all of it in one report. */
function reportEnds(world: World, { words, options }: Command): void {
  const [id = "", ...rest] = words;
  const items = new Map<number, OutcomeItem[]>();
  for (let i = 0; i < rest.length; i += 2) {
    const range = rangeOf(world, rest[i] ?? "");
    const reason = Object.values(endReasons).find(({ name }) => name === rest[i + 1]);
    if (!reason) throw new Error(`"${rest[i + 1]}" is no end reason`);
    const list = items.get(range.job) ?? [];
    items.set(range.job, list);
    for (let task = range.first; task < range.first + range.count; task++) {
      list.push(outcome({ task, attempt: range.attempt, code: reason.code }, options));
    }
  }
  const blocks = [...items].map(([job, list]) => ({ job, bytes: encodeOutcomes(list) }));
  sendReport(world, id, { blocks, returned: [], n: options.get("n") });
}

function outcome(
  end: Pick<OutcomeItem, "task" | "attempt" | "code">,
  options: Command["options"],
): OutcomeItem {
  const micros = parseDuration(options.get("took") ?? "10ms") * 1_000;
  const hash = options.get("stored");
  if (hash !== undefined) {
    const value = encodeStored({
      hash: hash.repeat(64).slice(0, 64),
      size: 70_000,
      encoding: "json",
    });
    return { ...end, code: end.code | storedBit, micros, logBytes: 0, value };
  }
  const text = end.code === 0 ? `{"n":${end.task}}` : '{"name":"Error","message":"no"}';
  return { ...end, micros, logBytes: 0, value: new TextEncoder().encode(text) };
}

function returnAttempts(world: World, { words, options }: Command): void {
  const [id = "", ...ranges] = words;
  const returned = ranges.map((word) => rangeOf(world, word));
  world.recalls.delete(world.workerNumber(id));
  sendReport(world, id, { blocks: [], returned, n: options.get("n") });
}

function sendReport(
  world: World,
  id: string,
  what: {
    readonly blocks: readonly { readonly job: number; readonly bytes: Uint8Array }[];
    readonly returned: readonly HeldRange[];
    readonly n: string | undefined;
  },
): void {
  const worker = scriptWorker(world, id);
  const n = what.n === undefined ? ++worker.reports : Number(what.n);
  const { incarnation } = worker.info;
  const { blocks, returned } = what;
  const number = world.workerNumber(id);
  ask(world, { kind: "report", worker: number, incarnation, n, blocks, returned });
}

function news(world: World, id: string, what: "silent" | "heard"): void {
  const { incarnation } = scriptWorker(world, id).info;
  ask(world, { kind: "workerNews", worker: world.workerNumber(id), incarnation, news: what });
}

/** "lose w1 gone": a goodbye; "lose w1 silent": nothing heard; otherwise its exit is confirmed. */
function loseWorker(world: World, { words, options }: Command): void {
  const [id = ""] = words;
  const gone = words.includes("gone");
  const silent = words.includes("silent");
  const { incarnation } = scriptWorker(world, id).info;
  const worker = world.workerNumber(id);
  const text = options.get("started") ?? "";
  const started = text === "" ? [] : text.split(",").map((word) => attemptIn(world, word));
  const reason = gone ? "it said goodbye" : silent ? "it was silent" : "its process has ended";
  const request = {
    kind: "loseWorker",
    worker,
    incarnation,
    reason,
    gone,
    silent,
    started,
  } as const;
  ask(world, request, ({ braked }) => {
    if (braked) world.say(`== ${id} is not lost yet: the brake holds`);
    else world.hearing.delete(worker);
  });
}

function drainWorker(world: World, { words, options }: Command, undo: boolean): void {
  const deadline = options.get("deadline");
  ask(world, {
    kind: "drain",
    worker: world.workerNumber(words[0] ?? ""),
    deadlineMs: deadline === undefined ? 0 : parseDuration(deadline),
    exit: words.includes("exit"),
    undo,
  });
}

// ── questions ────────────────────────────────────────────────────────────────────────────

function explainTask(world: World, { words }: Command): void {
  for (const word of words) {
    const { job: name, first } = parseTasks(word);
    const job = world.job(name);
    world.loop.read(
      (state, time) => showExplanation(state, job, first ?? 0, { time, name }),
      (lines) => lines.forEach((line) => world.say(line)),
    );
  }
}

function sayState(world: World): void {
  world.loop.read(
    (state) => showState(state, world.names),
    (lines) => lines.forEach((line) => world.say(line)),
  );
}

// Bugs put in by hand (design.md §8, 5): each is a small change of the product's source that the simulator must
// notice. One whose text is no longer found is a failure of its own: bring it up to date.

export interface Patch {
  /** From the repository's root. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  readonly patches: readonly Patch[];
  /** A seed that notices it, to be tried first: it is rare. */
  readonly seed?: number;
}

const one = (name: string, file: string, find: string, replace: string): Mutant => ({
  name,
  patches: [{ file, find, replace }],
});

export const mutants: readonly Mutant[] = [
  one(
    "answers are given before the batch is durable",
    "src/master/loop.ts",
    "    this.#flight = flight;\n    this.#appender.send",
    "    this.#flight = flight;\n    for (const answer of answers.splice(0)) answer();\n    this.#appender.send",
  ),
  one(
    "a batch that is not found after a lost answer is called refused",
    "src/master/appender.ts",
    "found instanceof Error || found === undefined) this.#again(flight, found);",
    'found === undefined) this.#end(() => events.refused("no_space", "lost"));\n      else if (found instanceof Error) this.#again(flight, found);',
  ),
  one(
    "a new incarnation of a worker does not end the old one's attempts",
    "src/core/commands/worker.ts",
    "if (!isAway(known)) {",
    'if (known.state === "suspect") {',
  ),
  one(
    "amounts of a cancelled attempt are never given back",
    "src/core/commands/report.ts",
    'if (isHolding(job, task, attempt, worker.number)) return "release";',
    'if (isHolding(job, task, attempt, worker.number)) return "nothing";',
  ),
  one(
    "an old attempt is taken for the current one",
    "src/core/tasks.ts",
    "    stateOf(job.tasks, task) === taskState.assigned &&\n    attemptOf(job.tasks, task) === attempt &&",
    "    stateOf(job.tasks, task) === taskState.assigned &&\n    attempt > 0 &&",
  ),
  one(
    "a registration is answered with new attempt numbers",
    "src/core/reconcile.ts",
    "const attempt = run.attempt[task] ?? 0;",
    "const attempt = (run.attempt[task] ?? 0) + 1;",
  ),
  one(
    "keys are not in the snapshot",
    "src/core/snapshot.ts",
    '  fill(state.userKeys, loose["userKeys"]);\n',
    "",
  ),
  one(
    "a key is not remembered",
    "src/core/commands/submit.ts",
    "if (entry.key !== null) rememberKey(state, entry.key, job.number);",
    "",
  ),
  one(
    "retries are counted by attempts, lost ones included",
    "src/core/commands/report.ts",
    "return (job.tasks.run?.failures[task] ?? 0) + 1 < job.spec.retry.attempts;",
    "return attemptOf(job.tasks, task) < job.spec.retry.attempts;",
  ),
  one(
    "back-off timers are not armed again after a snapshot",
    "src/core/snapshot.ts",
    "    armTasks(state, job);\n",
    "",
  ),
  one(
    "delays are not armed again after a snapshot",
    "src/core/snapshot.ts",
    "    if (job.wakeTime > state.time)\n",
    "    if (job.wakeTime < 0)\n",
  ),
  one(
    "back-off is reckoned by the wall clock",
    "src/core/commands/report.ts",
    "until: reason.charged ? turn.time + backoff",
    "until: reason.charged ? (turn.wall % 10_000_000) + backoff",
  ),
  one(
    "a lost worker's tasks keep its number",
    "src/core/tasks.ts",
    "  run.worker[task] = 0;\n",
    "",
  ),
  one(
    "an older success wins although the task is fenced",
    "src/core/commands/report.ts",
    "older && !job.spec.fenced;",
    "older;",
  ),
  {
    name: "heartbeats expire while the master stands still",
    seed: 413,
    patches: [
      {
        file: "src/master/sessions.ts",
        find: "if (stall > tickMs) for (const watch of this.#watches.values()) watch.heardAt += stall; // L7",
        replace: "",
      },
    ],
  },
  one(
    "a paused queue goes on",
    "src/core/placement/filters.ts",
    "  if (queue.paused) return 0;\n",
    "",
  ),
  one(
    "a concurrency key's limit is each placement's own",
    "src/core/placement/filters.ts",
    "Math.max(0, use.limit - use.active)",
    "use.limit",
  ),
  one(
    "a job starts although the one it waits for failed",
    "src/core/commands/stop.ts",
    '    else if (ended !== "succeeded") return "failed";\n',
    "",
  ),
  one(
    "only the first slice of a cancelled job ends",
    "src/core/timeouts.ts",
    "    if (job) sweepSlice(turn, job);\n",
    "    if (job) turn.state.sweeping.delete(number);\n",
  ),
  one(
    "a worker takes an attempt that it knows",
    "src/worker/jobs.ts",
    "    if (tasks.has(task)) return false;\n",
    "",
  ),
  one(
    "a worker forgets one report too many",
    "src/worker/reports.ts",
    "if (kept.report.n > n) break;",
    "if (kept.report.n > n + 1) break;",
  ),
  one(
    "cancel orders are not told to the worker",
    "src/core/commands/stop.ts",
    "    if (before === taskState.assigned) {\n      effects.push({",
    "    if (before > taskState.assigned) {\n      effects.push({",
  ),
  one(
    "a worker that returns is not asked what it lacks",
    "src/master/verdict.ts",
    "    ...startMessages(state, resend),\n",
    "    ...startMessages(state, resend.slice(1)),\n",
  ),
  one(
    "attempts that should have ended go on after a registration",
    "src/core/reconcile.ts",
    "else kill.push({ job: range.job, first: task, count: 1, attempt: range.attempt });",
    "",
  ),
  {
    name: "what comes behind a registration is dropped",
    patches: [
      {
        file: "src/master/sessions.ts",
        find: '      if (session.phase === "registering") session.early.push(message);\n',
        replace: "",
      },
      {
        file: "src/core/commands/report.ts",
        find: "if (request.n > worker.reports + 1) {",
        replace: "if (request.n < 0) {",
      },
    ],
  },
];

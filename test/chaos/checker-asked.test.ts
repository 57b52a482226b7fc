import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { check } from "./checker.ts";
import { aFact, anAttempt, anOperation, dropFact, factsOf, forge, found } from "./falsify.ts";
import type { AttemptAt, Forged } from "./falsify.ts";
import { loadHistory } from "./history.ts";
import type { Harm } from "./history.ts";

// A round of two masters, killed, told to end and to step down, and three workers, one killed, one told to end; its
// clients cancel, and send and take contents that are stored by their hash.
const good = loadHistory(fileURLToPath(new URL("./good-history-asked.jsonl", import.meta.url)));

test("a history of a cluster that did what it was asked to has no violation", () => {
  expect(check(good)).toEqual([]);
});

type Lie = readonly [name: string, sentence: RegExp, change: (forged: Forged) => void];

/** Contents that are stored by their hash. */
const payloadLies: readonly Lie[] = [
  [
    "a task was given other contents than were submitted",
    /^P1: attempt 1 of \w+\/\d+ was given contents of sum 0{64}, not of \w{64}/,
    (forged) => {
      aLine(forged, "start").sum = "0".repeat(64);
    },
  ],
  [
    "two tasks were given each other's contents",
    /^P1: attempt \d+ of \w+\/\d+ was given contents of sum \w{64}, not of \w{64}/,
    (forged) => {
      const one = aLine(forged, "start");
      const other = aLine(forged, "start", ({ sum }) => sum !== one.sum);
      [one.sum, other.sum] = [found(other.sum, "sum"), found(one.sum, "sum")];
    },
  ],
  [
    "a task was given nothing where contents were submitted",
    /^P1: attempt 1 of \w+\/\d+ was given contents of sum undefined, not of \w{64}/,
    (forged) => {
      delete aLine(forged, "start").sum;
    },
  ],
  [
    "the journal names a stored input that nobody submitted",
    /^P1: the submit of input \d+ by payload has another input \d+ than job/,
    (forged) => {
      const parts = factsOf(forged, "part").flatMap(({ fact }) => fact.inputs);
      found(
        parts.find(({ stored }) => stored !== undefined),
        "stored input",
      ).stored = "0".repeat(64);
    },
  ],
  [
    "the recorded result is not what the attempt gave",
    /^P1: the outcome of \w+\/\d+ in batch \d+ is stored 0{64}, attempt \d+ gave \w{64}/,
    (forged) => {
      aStoredOutcome(forged).value = `stored ${"0".repeat(64)}`;
    },
  ],
  [
    "a client got other bytes than the recorded result has",
    /^P2: payload \(stream of \w+\) saw task \d+ as succeeded stored 0{64}; recorded is/,
    (forged) => {
      aSeenStored(forged).value = `stored ${"0".repeat(64)}`;
    },
  ],
  [
    "a stored result was lost before a client had read it",
    /^P1: payload \(stream of \w+\) could not read the stored result of task \d+: it is not stored/,
    (forged) => {
      aSeenStored(forged).missing = "it is not stored";
    },
  ],
];

const cancelLies: readonly Lie[] = [
  [
    "a task is cancelled that nobody wanted cancelled",
    /^P1: task \w+\/\d+ is cancelled in batch \d+, but nobody asked for that/,
    (forged) => {
      forged.operations = forged.operations.filter(({ kind }) => kind !== "cancel");
    },
  ],
  [
    "a cancelled job is not in the journal",
    /^P1: cancel was told that job gone is cancelled, but that job is not in the journal/,
    (forged) => {
      anOperation(forged, "cancel", ({ task }) => task === null).job = "gone";
    },
  ],
  [
    "a cancel was acknowledged before all had ended",
    /^P2: cancel was told that job \w+ is cancelled when \d+ of \d+ tasks had ended/,
    (forged) => {
      const { answer } = anOperation(forged, "cancel", ({ task }) => task === null);
      if (answer.kind === "ok") answer.ended -= 1;
    },
  ],
  [
    "an acknowledged cancel is not in the journal",
    /^P2: cancel was told that task \w+\/\d+ is cancelled, but task \d+ has no outcome/,
    (forged) => {
      const { job: id, task } = anOperation(forged, "cancel", ({ task }) => task !== null);
      const { job } = aFact(forged, "job", (fact) => fact.id === id).fact;
      for (const batch of forged.batches) {
        batch.facts = batch.facts.filter(
          (fact) =>
            !(fact.kind === "swept" && fact.job === job && fact.first === task) &&
            !(fact.kind === "outcome" && fact.job === job && fact.task === task),
        );
      }
    },
  ],
  [
    "a task ended otherwise than its cancel was told",
    /^P2: cancel was told that task \w+\/\d+ is cancelled: it ended failed; recorded is/,
    (forged) => {
      const one = anOperation(forged, "cancel", ({ task }) => task !== null);
      if (one.answer.kind === "ok") one.answer.state = "failed";
    },
  ],
  [
    "a cancelled attempt started where it was over already",
    /^P2: attempt \d+ of \w+\/\d+ started on w\d after it was over there, in batch \d+/,
    (forged) => {
      startLate(
        forged,
        anAttempt(forged, (at) => isUnstarted(forged, at) && at.attempt.releasedIndex > 0),
      );
    },
  ],
  [
    "a cancelled attempt started long after its worker could be told",
    /^P2: attempt \d+ of \w+\/\d+ started on w\d \d+ ms after its cancel was acknowledged/,
    (forged) => {
      const fits = (at: AttemptAt) => isUnstarted(forged, at) && isAcknowledged(forged, at);
      const at = anAttempt(forged, fits);
      for (const { batch, fact } of factsOf(forged, "released")) {
        if (fact.job === at.job.number && fact.tasks.includes(at.number)) dropFact(batch, fact);
      }
      startLate(forged, at);
    },
  ],
  [
    "a cancelled task is assigned once more",
    /^P2: attempt \d+ of \w+\/\d+ is made after its outcome/,
    (forged) => {
      const { job, number, attempt } = anAttempt(forged, (at) => isUnstarted(forged, at));
      const { worker, number: last } = attempt;
      const range = { job: job.number, first: number, count: 1 };
      const again = { kind: "assigned", n: 99, ...range, attempt: last + 1, worker } as const;
      found(forged.batches.at(-1), "batch").facts.push(again);
    },
  ],
  [
    "what has not ended is said to be over",
    /^P2: batch \d+ releases \w+\/\d+, which has not ended/,
    (forged) => {
      const { batch, fact } = aFact(forged, "assigned");
      const { job, worker, first } = fact;
      batch.facts.push({ kind: "released", n: 99, job, worker, tasks: [first] });
    },
  ],
];

const endLies: readonly Lie[] = [
  [
    "a process that was told to end had to be killed",
    /^P6: worker w\d was told to end, and had to be killed after \d+ ms/,
    (forged) => {
      anEnd(forged, "worker").exit = "SIGKILL";
    },
  ],
  [
    "a process that was told to end broke",
    /^P4: master m\d was told to end, and ended by 1/,
    (forged) => {
      anEnd(forged, "master").exit = 1;
    },
  ],
  [
    "a worker that had work did not listen",
    /^P4: worker w\d was told to end, and ended by SIGTERM/,
    (forged) => {
      anEnd(forged, "worker").exit = "SIGTERM";
    },
  ],
  [
    "a process of a worker that was told to end lives on",
    /^P4: a process of ended worker w\d lived on: 4711 node/,
    (forged) => {
      anEnd(forged, "worker").survivors = ["4711 node"];
    },
  ],
  [
    "a worker's task went on after its worker had ended",
    /^P4: end of attempt \d+ of \w+\/\d+ on w\d \d+ ms after that worker had ended/,
    (forged) => {
      const { pid, goneAt = 0 } = anEnd(forged, "worker");
      const line = forged.runs.find((one) => one.what === "end" && one.pid === pid);
      found(line, "end").at = goneAt + 5_000;
    },
  ],
  [
    "what a worker had started was lost when it was told to end",
    /^P3: attempt \d+ of \w+\/\d+ was lost with w\d, which was only told to end/,
    (forged) => {
      const { pid } = anEnd(forged, "worker");
      const fits = ({ attempt }: AttemptAt) => attempt.pid === pid && attempt.end === "outcome";
      const { job, number, attempt } = anAttempt(forged, fits);
      for (const { batch, fact } of factsOf(forged, "outcome")) {
        if (fact.job === job.number && fact.task === number) dropFact(batch, fact);
      }
      const { n, worker } = { n: 99, worker: attempt.worker };
      const batch = found(forged.batches[attempt.endIndex - 1], "batch");
      batch.facts.push({ kind: "lost", n, worker, reason: "it said goodbye" });
    },
  ],
  [
    "the lead was given to another than was said",
    /^P5: m\d was told that term \d+ is given up for m9; in batch \d+ it is given to m\d/,
    (forged) => {
      aStepDown(forged).to = "m9";
    },
  ],
  [
    "a leader said that it stepped down, and led on",
    /^P5: m\d was told that term \d+ is given up, but nobody was elected after it/,
    (forged) => {
      aStepDown(forged).term = found(forged.batches.at(-1), "batch").term;
    },
  ],
];

describe("a history that was falsified is found out:", () => {
  test.each([...payloadLies, ...cancelLies, ...endLies])("%s", (_name, sentence, change) => {
    const violations = check(forge(good, change));
    expect(violations.filter((one) => sentence.test(one))).not.toEqual([]);
  });
});

/** A line of a task with contents. */
function aLine(
  { runs }: Forged,
  what: "start" | "end",
  fits: (line: Forged["runs"][number]) => boolean = () => true,
) {
  return found(
    runs.find((line) => line.what === what && line.sum !== undefined && fits(line)),
    "line with contents",
  );
}

function aStoredOutcome(forged: Forged) {
  return aFact(forged, "outcome", ({ value }) => value.startsWith("stored ")).fact;
}

function aSeenStored({ operations }: Forged) {
  const seen = operations.flatMap((one) => (one.kind === "seen" ? one.outcomes : []));
  return found(
    seen.find(({ value }) => value.startsWith("stored ")),
    "stored result that was seen",
  );
}

function anEnd({ harms }: Forged, who: Harm["who"]) {
  return found(
    harms.find((harm) => harm.kind === "ended" && harm.who === who),
    `${who} that was told to end`,
  );
}

function aStepDown({ harms }: Forged) {
  return found(
    harms.find(({ term }) => term !== undefined),
    "leader that stepped down",
  );
}

function isUnstarted({ runs }: Forged, { job, number, task, attempt }: AttemptAt): boolean {
  const cancelled = task.outcome?.reason === "cancelled" && task.outcome.index === attempt.endIndex;
  return (
    cancelled &&
    !runs.some(
      (line) => line.job === job.id && line.task === number && line.attempt === attempt.number,
    )
  );
}

function isAcknowledged({ operations }: Forged, { job, number }: AttemptAt): boolean {
  return operations.some(
    (one) =>
      one.kind === "cancel" &&
      one.answer.kind === "ok" &&
      one.job === job.id &&
      (one.task ?? number) === number,
  );
}

/** It runs on its own worker, by its own order: nothing is wrong but the time. */
function startLate(forged: Forged, { job, number, attempt }: AttemptAt): void {
  const { workerId: worker, pid, fence } = attempt;
  const at = (forged.batches.at(-1)?.seenAt ?? 0) + 60_000;
  const what = { what: "start", job: job.id, task: number, attempt: attempt.number } as const;
  forged.runs.push({ ...what, fence, worker, pid, at });
  // What was harmed later is another matter.
  forged.harms = [];
}

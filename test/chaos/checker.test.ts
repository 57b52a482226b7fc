import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { check } from "./checker.ts";
import {
  aFact,
  anAttempt,
  anOperation,
  aStart,
  dropFact,
  factsOf,
  forge,
  found,
} from "./falsify.ts";
import type { Forged } from "./falsify.ts";
import { loadHistory } from "./history.ts";

// A round of one master, killed once, and three workers, one of them killed.
const good = loadHistory(fileURLToPath(new URL("./good-history.jsonl", import.meta.url)));

test("a history of a cluster that kept its promises has no violation", () => {
  expect(check(good)).toEqual([]);
});

/** What is done to the history, and the sentence that must name it. */
const lies: readonly (readonly [name: string, sentence: RegExp, change: (f: Forged) => void])[] = [
  [
    "an acknowledged submit is not in the journal",
    /^P1: the submit of input \d+ by \w+ was acknowledged as \w+, which is not in the journal/,
    (forged) => {
      const { fact } = aFact(forged, "job");
      const { job } = fact;
      for (const batch of forged.batches) {
        batch.facts = batch.facts.filter((one) => !("job" in one && one.job === job));
      }
    },
  ],
  [
    "a repeated submit made a second job",
    /^P1: input \d+ is in the journal twice/,
    (forged) => {
      const { batch, fact } = aFact(forged, "job");
      const part = aFact(forged, "part", ({ job }) => job === fact.job).fact;
      batch.facts.push({ ...fact, job: 9_999, id: "another" }, { ...part, job: 9_999 });
    },
  ],
  [
    "one key made two jobs",
    /^P1: key \S+ made two jobs/,
    (forged) => {
      const jobs = factsOf(forged, "job").filter(({ fact }) => fact.key !== null);
      found(jobs[1], "second job").fact.key = found(jobs[0], "job").fact.key;
    },
  ],
  [
    "an input was changed on its way into the journal",
    /^P1: the submit of input \d+ by \w+ has another input 0 than job/,
    (forged) => {
      found(aFact(forged, "part").fact.inputs[0], "input").ms += 1;
    },
  ],
  [
    "the journal has work that nobody submitted",
    /^P1: input \d+ of job \w+ was submitted by nobody/,
    (forged) => {
      const at = forged.operations.findIndex(({ kind }) => kind === "submit");
      forged.operations.splice(at, 1);
    },
  ],
  [
    "a submit that was answered as failed is in the journal",
    /^P5: the submit of input \d+ by \w+ was answered "overloaded", yet it is in job/,
    (forged) => {
      const submit = anOperation(forged, "submit", ({ answer }) => answer.kind === "ok");
      submit.answer = { kind: "failed", why: "overloaded" };
    },
  ],
  [
    "an acknowledged part of an open job is missing",
    /^P1: the submit of input \d+ by open has \d+ inputs, job \w+ in the journal has \d+/,
    (forged) => {
      const open = anOperation(forged, "submit", ({ client }) => client === "open");
      const { fact } = aFact(forged, "part", ({ inputs }) => inputs[0]?.n === open.inputs[0]?.n);
      fact.inputs.pop();
    },
  ],
  [
    "a task has no outcome in the end",
    /^P1: task \w+\/\d+ has no outcome in the end/,
    (forged) => {
      const { batch, fact } = aFact(forged, "outcome");
      dropFact(batch, fact);
    },
  ],
  [
    "a task has two outcomes",
    /^P2: \w+\/\d+ has a second outcome in batch \d+; the first is in batch \d+/,
    (forged) => {
      const { fact } = aFact(forged, "outcome");
      found(forged.batches.at(-1), "batch").facts.push(structuredClone(fact));
    },
  ],
  [
    "a recorded result is wrong",
    /^P1: the outcome of \w+\/\d+ in batch \d+ has the wrong value/,
    (forged) => {
      aFact(forged, "outcome", ({ reason }) => reason === "succeeded").fact.value += "0";
    },
  ],
  [
    "a task that had to succeed failed",
    /^P1: task \w+\/\d+ failed \(error\) in batch \d+; it had to end succeeded/,
    (forged) => {
      aFact(forged, "outcome", ({ reason }) => reason === "succeeded").fact.reason = "error";
    },
  ],
  [
    "a client saw another result than the recorded one",
    /^P2: \w+ \(stream of \w+\) saw task \d+ as succeeded \S+; recorded is/,
    (forged) => {
      found(aStream(forged).outcomes[0], "outcome").value += "0";
    },
  ],
  [
    "a client saw an outcome before it was recorded, and it never was",
    /^P1: \w+ \(\w+ of \w+\) saw an outcome of task \d+, but none is recorded/,
    (forged) => {
      const { job, outcomes } = aStream(forged);
      const { job: number } = aFact(forged, "job", ({ id }) => id === job).fact;
      const task = outcomes[0]?.task;
      const of = (fact: { job: number; task: number }) => fact.job === number && fact.task === task;
      const { batch, fact } = aFact(forged, "outcome", of);
      dropFact(batch, fact);
    },
  ],
  [
    "a stream is out of order",
    /^P1: \w+ \(stream of \w+\) saw position [\d.]+ after [\d.]+/,
    (forged) => {
      aStream(forged).outcomes.reverse();
    },
  ],
  [
    "a stream has a gap",
    /^P1: \w+ \(stream of \w+\) ended without task \d+/,
    (forged) => {
      aStream(forged).outcomes.splice(1, 1);
    },
  ],
  [
    "a stream repeats an outcome",
    /^P1: \w+ \(stream of \w+\) saw task \d+ twice/,
    (forged) => {
      const { outcomes } = aStream(forged);
      outcomes.splice(1, 0, found(outcomes[0], "outcome"));
    },
  ],
  [
    "an attempt started twice",
    /^P2: attempt \d+ of \w+\/\d+ started twice: on w1 and w\d/,
    (forged) => {
      forged.runs.push(structuredClone(aStart(forged, ({ worker }) => worker === "w1")));
    },
  ],
  [
    "an outcome is of an attempt that never started",
    /^P2: the outcome of \w+\/\d+ is of attempt \d+, which never started/,
    (forged) => {
      const { job, task, attempt } = aStart(forged);
      forged.runs = forged.runs.filter(
        (line) => line.job !== job || line.task !== task || line.attempt !== attempt,
      );
    },
  ],
  [
    "an outcome is of an attempt that was never assigned",
    /^P2: the outcome of \w+\/\d+ is of attempt 7, never assigned/,
    (forged) => {
      aFact(forged, "outcome").fact.attempt = 7;
    },
  ],
  [
    "an attempt was taken back unstarted, and started all the same",
    /^P2: attempt \d+ of \w+\/\d+ was taken back unstarted in batch \d+, yet it started/,
    (forged) => {
      const { batch, fact } = aFact(forged, "attemptFailed");
      const { n, job, worker, task } = fact;
      batch.facts.push({ kind: "unassigned", n, job, worker, first: task, count: 1 });
      dropFact(batch, fact);
    },
  ],
  [
    "a task is assigned while its attempt lives",
    /^P2: attempt \d+ of \w+\/\d+ is made while attempt \d+ lives/,
    (forged) => {
      const { batch, fact } = aFact(forged, "attemptFailed");
      dropFact(batch, fact);
    },
  ],
  [
    "a worker that nobody harmed was called lost",
    /^P3: worker w\d is lost in batch \d+ \(.*\), but nobody harmed it/,
    (forged) => {
      forged.harms = forged.harms.filter(({ who }) => who !== "worker");
    },
  ],
  [
    "an attempt failed though its code did not",
    /^P3: attempt 1 of \w+\/\d+ failed in batch \d+/,
    (forged) => {
      const { job: number, task } = aFact(forged, "attemptFailed").fact;
      const of = ({ job }: { job: number }) => job === number;
      found(aFact(forged, "part", of).fact.inputs[task], "input").failing = 0;
    },
  ],
  [
    "a lost attempt has no successor",
    /^P4: attempt \d+ of \w+\/\d+ was lost with w\d and has no successor/,
    (forged) => {
      const { job, number, attempt } = anAttempt(forged, (at) => at.attempt.end === "lost");
      for (const batch of forged.batches.slice(attempt.endIndex)) {
        batch.facts = batch.facts.filter(
          (fact) =>
            !("job" in fact && fact.job === job.number) ||
            !("task" in fact ? fact.task === number : "first" in fact && fact.first === number),
        );
      }
    },
  ],
  [
    "a lost attempt's successor went to the same dead process",
    /^P4: attempt \d+ of \w+\/\d+ was lost with w\d, its successor went to the same dead process/,
    (forged) => {
      const fits = ({ task, attempt }: ReturnType<typeof anAttempt>) =>
        attempt.end === "lost" && task.attempts[attempt.number] !== undefined;
      const { job, number, task, attempt } = anAttempt(forged, fits);
      const next = found(task.attempts[attempt.number], "successor");
      const of = (fact: { job: number; first: number; attempt: number }) =>
        fact.job === job.number && fact.first <= number && fact.attempt === next.number;
      const assigned = aFact(forged, "assigned", of);
      assigned.fact.worker = attempt.worker;
      const back = factsOf(forged, "registered").find(
        ({ fact, batch }) => fact.worker === attempt.worker && batch.index > attempt.endIndex,
      );
      if (back) back.fact.pid = attempt.pid;
    },
  ],
  [
    "an attempt is still assigned in the end",
    /^P4: attempt \d+ of \w+\/\d+ is still assigned to w\d in the end/,
    (forged) => {
      const { batch, fact } = aFact(forged, "outcome");
      dropFact(batch, fact);
    },
  ],
  [
    "a killed worker's task went on",
    /^P4: end of attempt \d+ of \w+\/\d+ on w\d \d+ ms after that worker was killed/,
    (forged) => {
      const kill = found(
        forged.harms.find(({ who, kind }) => who === "worker" && kind === "killed"),
        "killed worker",
      );
      const end = forged.runs.find(({ what, pid }) => what === "end" && pid === kill.pid);
      found(end, "end").at = kill.at + 5_000;
    },
  ],
  [
    "a killed worker's process lives on",
    /^P4: a process of killed worker w\d lived on: 4711 node/,
    (forged) => {
      const kill = forged.harms.find(({ who, kind }) => who === "worker" && kind === "killed");
      found(kill, "killed worker").survivors = ["4711 node"];
    },
  ],
  [
    "two masters were elected for one term",
    /^P5: m\d is elected for term \d+ after m\d for \d+/,
    (forged) => {
      const { batch, fact } = aFact(forged, "elected");
      batch.facts.push({ ...fact, n: 99, id: "m2", life: "other" });
    },
  ],
  [
    "terms are swapped",
    /^P5: batch \d+ of term \d+ stands after one of term \d+/,
    (forged) => {
      const [first, second] = factsOf(forged, "elected");
      const terms = [found(first, "election").fact.term, found(second, "election").fact.term];
      for (const batch of forged.batches) {
        batch.term = found(terms[batch.term === terms[0] ? 1 : 0], "term");
        for (const fact of batch.facts) if (fact.kind === "elected") fact.term = batch.term;
      }
    },
  ],
  [
    "an old leader's batch stands behind a new one's",
    /^P5: batch \d+ of term \d+ stands after one of term \d+/,
    (forged) => {
      found(forged.batches.at(-1), "batch").term -= 1;
    },
  ],
  [
    "a batch is of a term for which nobody was elected",
    /^P5: batch \d+ is of term \d+, but nobody was elected for it/,
    (forged) => {
      found(forged.batches.at(-1), "batch").term += 1;
    },
  ],
  [
    "a leader went on after it had resigned",
    /^P5: batch \d+ is of a leader that had resigned/,
    (forged) => {
      found(forged.batches.at(-2), "batch").facts.push({ kind: "resigned", n: 99, to: null });
    },
  ],
  [
    "the chain of batches is cut",
    /^P5: batch \d+ does not hold the hash of batch \d+: the chain is cut/,
    (forged) => {
      found(forged.batches[20], "batch").hash = "0".repeat(64);
    },
  ],
  [
    "a batch is missing",
    /^P5: batch 22 follows batch 20/,
    (forged) => {
      forged.batches.splice(20, 1);
    },
  ],
  [
    "two journals are mixed",
    /^P5: batch \d+ is of journal other, not of/,
    (forged) => {
      found(forged.batches.at(-1), "batch").journalId = "other";
    },
  ],
  [
    "an attempt started that no batch assigned",
    /^P5: attempt 5 of \w+\/\d+ started on w\d, but no batch assigned it/,
    (forged) => {
      forged.runs.push({ ...structuredClone(aStart(forged)), attempt: 5 });
    },
  ],
  [
    "an attempt started by an order of another batch",
    /^P5: attempt \d+ of \w+\/\d+ started by an order of batch \d+, not of \d+/,
    (forged) => {
      aStart(forged).fence -= 1;
    },
  ],
  [
    "an attempt started on another worker than it was assigned to",
    /^P5: attempt \d+ of \w+\/\d+ started on w9 \(\d+\), assigned to w\d \(\d+\)/,
    (forged) => {
      aStart(forged).worker = "w9";
    },
  ],
  [
    "an attempt number was left out",
    /^P5: attempt 2 of \w+\/\d+ follows attempt 0/,
    (forged) => {
      aFact(forged, "assigned").fact.attempt = 2;
    },
  ],
  [
    "a client read less than it had read before",
    /^P2: \w+ read \d+ ended tasks of \w+ after it had read \d+/,
    (forged) => {
      const read = anOperation(forged, "read", ({ ended }) => ended > 0);
      forged.operations.push({ ...read, at: read.at + 1, ended: read.ended - 1 });
    },
  ],
  [
    "a client read what was never recorded",
    /^P2: \w+ read \d+ ended tasks of \w+, \d+ are recorded/,
    (forged) => {
      anOperation(forged, "read", () => true).ended = 1_000;
    },
  ],
  [
    "a client read a state that the journal did not have at that batch",
    /^P2: \w+ read \d+ ended tasks of \w+ at batch 2; it had 0/,
    (forged) => {
      anOperation(forged, "read", ({ ended }) => ended > 0).index = 2;
    },
  ],
  [
    "a client's reads went back in time",
    /^P5: \w+ read at batch 5 after it had read at 6/,
    (forged) => {
      const read = anOperation(forged, "read", ({ ended }) => ended === 0);
      read.index = 6;
      forged.operations.push({ ...read, at: read.at + 1, index: 5 });
    },
  ],
];

describe("a history that was falsified is found out:", () => {
  test.each(lies)("%s", (_name, sentence, change) => {
    const violations = check(forge(good, change));
    expect(violations.filter((one) => sentence.test(one))).not.toEqual([]);
  });
});

function aStream(forged: Forged) {
  return anOperation(forged, "seen", ({ how, outcomes }) => {
    const indexes = new Set(outcomes.map(({ at }) => at?.[0]));
    return how === "stream" && indexes.size > 1;
  });
}

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { endReasons } from "../../protocol/model.ts";
import { encodeOutcomes } from "../../protocol/outcome-block.ts";
import { Cluster } from "../cluster.fixture.ts";
import { decodeState, encodeState } from "../snapshot.ts";

describe("a lost worker", () => {
  it("leaves its tasks ready for others, under new attempt numbers", () => {
    const cluster = new Cluster();
    const first = cluster.worker("w1");
    const job = cluster.submit();
    cluster.lose(first);
    expect([cluster.letters(job), job.attemptsLost]).toEqual(["r", 1]);
    const second = cluster.worker("w2");
    expect([job.tasks.run?.worker[0], job.tasks.run?.attempt[0]]).toEqual([second, 2]);
  });

  it("is charged with what could have been running only", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w", { cpu: 2_000 });
    const job = cluster.submit({ tasks: 3 });
    cluster.lose(worker, [[job.number, 1, 1]]);
    expect(job.deaths).toEqual(
      new Map([
        [0, [worker]],
        [1, [worker]],
      ]),
    );
  });

  it("is not charged with an attempt of which only the one before had started", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w", { cpu: 1_000 });
    const retry = { attempts: 2, backoffMs: 10, backoffMaxMs: 10, finalErrors: [] };
    const job = cluster.submit({ tasks: 2, spec: { retry } });
    const other = cluster.submit();
    const micros = 1_000;
    cluster.report(worker, job, [{ task: 0, micros }]);
    cluster.report(worker, job, [{ task: 1, micros, code: endReasons.error.code }]);
    cluster.wait(100);
    // The other job holds the amounts; the second attempt stands behind it.
    expect([cluster.letters(job), job.tasks.run?.attempt[1]]).toEqual(["Sa", 2]);
    expect(cluster.workerOf(worker).active).toEqual(new Map([[other.number, 1]]));
    cluster.lose(worker, [[job.number, 1, 1]]);
    expect([job.deaths.size, other.deaths.size]).toEqual([0, 1]);
  });

  it("is not charged after a goodbye", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const job = cluster.submit();
    const how = { reason: "bye", gone: true, silent: false, started: [] };
    cluster.ask({ kind: "loseWorker", worker, incarnation: "w-1", ...how });
    expect([cluster.workerOf(worker).state, job.deaths.size]).toEqual(["gone", 0]);
  });

  it("of an old incarnation does not touch the new one", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    cluster.worker("w", { cpu: 1_000 }, { incarnation: "w-2" });
    const how = { reason: "late", gone: false, silent: false, started: [] };
    cluster.ask({ kind: "loseWorker", worker, incarnation: "w-1", ...how });
    expect(cluster.workerOf(worker).state).toBe("active");
  });
});

describe("workers that stay away", () => {
  it("are forgotten after a day, and not before", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w1");
    cluster.worker("w2");
    cluster.lose(worker);
    cluster.wait(limits.lostWorkerMs - 10);
    expect(cluster.workerOf(worker).state).toBe("lost");
    cluster.wait(20);
    expect([...cluster.state.workers.values()].map(({ info }) => info.id)).toEqual(["w2"]);
    expect(cluster.state.workerNumbers.has("w1")).toBe(false);
  });

  it("are remembered while they may come back, whatever a restart forgot", () => {
    const cluster = new Cluster();
    const [first, second] = [cluster.worker("w1"), cluster.worker("w2")];
    cluster.lose(second);
    cluster.wait(limits.lostWorkerMs / 2);
    cluster.lose(first);
    cluster.worker("w1");
    cluster.state = decodeState(encodeState(cluster.state));
    cluster.wait(limits.lostWorkerMs / 2 + 10);
    expect([...cluster.state.workers.keys()]).toEqual([first]);
  });

  it("are forgotten from the oldest on when there are too many", () => {
    const cluster = new Cluster();
    const numbers = Array.from({ length: limits.lostWorkersMax + 300 }, (_, n) => {
      const number = cluster.worker(`w${n}`);
      cluster.lose(number);
      return number;
    });
    expect([...cluster.state.workers.keys()]).toEqual(numbers.slice(300));
  });

  it("and come back after all go on where their reports had come", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w1");
    const { info } = cluster.workerOf(worker);
    cluster.lose(worker);
    cluster.wait(limits.lostWorkerMs + 10);
    const life = {
      kind: "register",
      info,
      otherAnswers: false,
      started: [],
      recorded: 56,
    } as const;
    const answer = cluster.ask(life);
    if (!answer.ok) throw new Error(answer.message);
    const { incarnation } = info;
    const report = { kind: "report", worker: answer.worker, incarnation, n: 57 } as const;
    expect(cluster.ask({ ...report, blocks: [], returned: [] })).toEqual({ ok: true });
    expect(cluster.workerOf(answer.worker).reports).toBe(57);
  });
});

describe("a worker that starts anew", () => {
  it("ends its former attempts, but not those whose ends it had written down", () => {
    const cluster = new Cluster();
    cluster.worker("w", { cpu: 2_000 });
    const job = cluster.submit({ tasks: 2 });
    const info = { ...cluster.workerOf(1).info, incarnation: "w-2" };
    const value = new Uint8Array([49]);
    const item = { task: 1, attempt: 1, code: 0, micros: 9, logBytes: 0, value };
    const ends = [{ job: job.number, bytes: encodeOutcomes([item]) }];
    cluster.ask({ kind: "register", info, otherAnswers: false, started: [], ends });
    expect([cluster.letters(job), job.attemptsLost]).toEqual(["aS", 1]);
  });
});

describe("a task under which workers die", () => {
  it("is poison after three of them", () => {
    const cluster = new Cluster();
    const workers = ["w1", "w2", "w3", "w4"].map((id) => cluster.worker(id));
    const job = cluster.submit();
    for (let i = 0; i < 3; i++) cluster.lose(job.tasks.run?.worker[0] ?? 0);
    expect([cluster.letters(job), job.tasks.run?.reason[0]]).toEqual(["F", endReasons.poison.code]);
    expect(workers.filter((worker) => cluster.workerOf(worker).state === "active")).toHaveLength(1);
  });

  it("is poison after three deaths of the only worker that could run it", () => {
    const cluster = new Cluster();
    const job = cluster.submit();
    for (let life = 1; life <= 3; life++) {
      const worker = cluster.worker("w", { cpu: 1_000 }, { incarnation: `w-${life}` });
      expect(cluster.letters(job)).toBe("a");
      cluster.lose(worker);
    }
    expect(cluster.letters(job)).toBe("F");
  });
});

describe("a drained worker", () => {
  it("gets nothing, is drained when empty, and works again when the drain is taken back", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    const how = { deadlineMs: 0, exit: false };
    cluster.ask({ kind: "drain", worker, undo: false, ...how });
    const job = cluster.submit();
    expect([cluster.workerOf(worker).state, cluster.letters(job)]).toEqual(["drained", "r"]);
    cluster.ask({ kind: "drain", worker, undo: true, ...how });
    expect(cluster.letters(job)).toBe("a");
  });
});

describe("a worker that was told to leave and fell silent", () => {
  it("is still leaving when it comes back", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    cluster.ask({ kind: "drain", worker, undo: false, deadlineMs: 0, exit: true });
    cluster.lose(worker);
    cluster.worker("w");
    const job = cluster.submit();
    expect([cluster.workerOf(worker).state, cluster.letters(job)]).toEqual(["drained", "r"]);
  });
});

describe("a worker that somebody forgets", () => {
  const forget = (cluster: Cluster, worker: number) =>
    cluster.ask({ kind: "forgetWorker", worker });

  it("must be lost or gone, and is a new one when it returns", () => {
    const cluster = new Cluster();
    const worker = cluster.worker("w");
    expect(forget(cluster, worker)).toMatchObject({ ok: false, code: "conflict" });
    cluster.lose(worker);
    expect(forget(cluster, worker)).toEqual({ ok: true });
    expect(forget(cluster, worker)).toMatchObject({ ok: false, code: "not_found" });
    expect(cluster.worker("w")).not.toBe(worker);
  });
});

describe("many workers that fall silent at once", () => {
  const silent = (cluster: Cluster, worker: number) => {
    const { incarnation } = cluster.workerOf(worker).info;
    const how = { reason: "silent", gone: false, silent: true, started: [] };
    return cluster.ask({ kind: "loseWorker", worker, incarnation, ...how });
  };

  it("are not lost before the brake is over", () => {
    const cluster = new Cluster();
    cluster.time = 60_000;
    const workers = ["w1", "w2", "w3"].map((id) => cluster.worker(id));
    for (const worker of workers) {
      const { incarnation } = cluster.workerOf(worker).info;
      cluster.ask({ kind: "workerNews", worker, incarnation, news: "silent" });
    }
    expect(silent(cluster, workers[0] ?? 0)).toEqual({ ok: true, braked: true });
    cluster.wait(60_001);
    expect(silent(cluster, workers[0] ?? 0)).toEqual({ ok: true, braked: false });
  });
});

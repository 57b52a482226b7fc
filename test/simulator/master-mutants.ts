// Bugs put in by hand in what makes several masters one: elections, hand-over, following, trims, reads. As mutants.ts.

import type { Mutant } from "./mutants.ts";

const one = (name: string, file: string, find: string, replace: string, seed?: number): Mutant => ({
  name,
  patches: [{ file, find, replace }],
  ...(seed === undefined ? {} : { seed }),
});

export const masterMutants: readonly Mutant[] = [
  one(
    "a candidate leads before its election is in the journal",
    "src/master/candidacy.ts",
    "    this.#tries++;\n",
    "    this.#tries++;\n    this.#ports.won(decodeBatch(batch.bytes, batch.index));\n",
  ),
  one(
    "a master leads by an election of its earlier life",
    "src/master/replica.ts",
    "return leader?.id === id && leader.incarnation === incarnation;",
    "return leader?.id === id && incarnation !== undefined;",
  ),
  one(
    "an election does not raise the term",
    "src/master/replica.ts",
    "const term = this.#state.term + 1;",
    "const term = Math.max(1, this.#state.term);",
  ),
  one(
    "a leader whose state was built anew leads on, whoever was elected meanwhile",
    "src/master/loop.ts",
    "    if (this.#leads && !this.#replica.isLedBy(this.#identity)) this.#deposed();\n",
    "",
  ),
  one(
    "a deposed leader keeps its state",
    "src/master/loop.ts",
    "    for (const { done } of flight.waiting) done(answer);\n    this.#lose(why);",
    "    for (const { done } of flight.waiting) done(answer);\n    this.#flight = null;",
  ),
  one(
    "what a deposed leader decided is answered as done",
    "src/master/loop.ts",
    "    for (const { done } of flight.waiting) done(answer);\n    this.#lose(why);",
    "    for (const say of flight.answers) say();\n    this.#lose(why);",
  ),
  one(
    "a leader that has resigned goes on",
    "src/master/loop.ts",
    "      this.#leads = false;\n      this.#pump.wake();\n      // Only what",
    "      // Only what",
  ),
  one(
    "a refused repeat is taken for proof that nothing was stored",
    "src/master/appender.ts",
    'result.kind !== "refused" || flight.unsure',
    'result.kind !== "refused"',
  ),
  one(
    "after a lost answer another batch is made in the place of the first",
    "src/master/loop.ts",
    "      unknown: () => this.#giveUpWaiting(flight),",
    '      unknown: () => this.#refused(flight, "no_space", "nobody answered"),',
  ),
  one(
    "deadlines of workers are not reset by an election",
    "src/master/sessions.ts",
    'if (worker.state !== "lost" && worker.state !== "gone") this.#watch(worker.number, now);',
    'if (worker.state !== "lost" && worker.state !== "gone") this.#watch(worker.number, now - 14_000);',
  ),
  one(
    "a worker takes orders from whoever gives them",
    "src/worker/agent.ts",
    "if (session === this.#leader && message.term === this.#term) return this.#obey(message);",
    "return this.#obey(message);",
    523,
  ),
  one(
    "a worker follows a lower term",
    "src/worker/agent.ts",
    "    if (term < this.#term) return;\n",
    "",
  ),
  one(
    "the journal is trimmed although no standby has a snapshot",
    "src/master/trim-limit.ts",
    "return Math.min(upTo, snapshot, watermark);",
    "return Math.min(upTo, Math.max(snapshot, watermark));",
  ),
  one(
    "a standby answers a strong read",
    "src/master/read-gate.ts",
    'if (!this.#ports.loop.leads) return done({ kind: "not leading" });',
    "if (!this.#ports.loop.leads) return done();",
  ),
  one(
    "a strong read rests on leading alone",
    "src/master/read-gate.ts",
    "return loop.leads && term === own ? undefined",
    "return loop.leads && own > 0 ? undefined",
    838,
  ),
  one(
    "a read does not wait for the batch that was asked for",
    "src/master/read-gate.ts",
    "if (one.index <= applied) one.done();",
    "if (one.index <= applied + 3) one.done();",
  ),
  one(
    "cluster time follows the wall clock",
    "src/master/replica.ts",
    "const passed = Math.floor(this.#clock.now() - this.#timeBase.at);",
    "const passed = Math.floor(this.#clock.wall() - this.#state.wall);",
  ),
  one(
    "whoever follows does not look at the chain",
    "src/master/replica.ts",
    '    checkNext(journalId, { index, term, hash: this.#hash, batchId: "" }, batch);\n',
    "",
  ),
  one(
    "a batch is followed twice",
    "src/master/loop.ts",
    "    if (batch.index <= this.#state.index) return;\n",
    "",
  ),
  one(
    "masters are not in the snapshot",
    "src/core/snapshot.ts",
    'fill(state.masters, loose["masters"], ',
    "fill(state.masters, [], ",
  ),
  one(
    "a standby tells workers that it leads",
    "src/master/sessions.ts",
    'if (loop.leads) session.connection.send([{ kind: "lead", term: this.#term }]);',
    'session.connection.send([{ kind: "lead", term: loop.peek((state) => state.term) }]);',
  ),
  one(
    "a new leader does not announce its term",
    "src/master/sessions.ts",
    '      session.connection.send([{ kind: "lead", term }]);\n',
    "",
  ),
  one(
    "a leader sends no signs of life",
    "src/master/loop.ts",
    "    return this.#appendAt + limits.renewMs - this.#ports.clock.now();",
    "    return Infinity;",
  ),
];

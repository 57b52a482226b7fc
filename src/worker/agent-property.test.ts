import fc from "fast-check";
import { expect, test } from "vitest";
import type { AttemptRange } from "../protocol/messages.ts";
import { endsIn, jobOf, namesIn, rangeOf, startOf, World } from "./agent.fixture.ts";

// A leader that keeps the rules (W2–W4) and an agent over lossy sessions and moody slots. The
// leader's books are the oracle: what it gave must start at most once, end exactly once, and be
// named completely.

const jobs = [jobOf(1), jobOf(2, { cpu: 2_000 }), jobOf(3, { cpu: 500, memory: 1_000 })];
const capacity = { cpu: 3_000, memory: 2_000 };

class Leader {
  readonly world = new World({ amounts: capacity, slotsMax: 8 });
  /**
   * Attempts assigned to this worker whose end is not recorded; true when a start was delivered.
   */
  readonly open = new Map<string, AttemptRange>();
  readonly outcomes = new Map<string, number>();
  readonly returned = new Map<string, number>();
  session = 0;
  term = 0;
  #read = 0;
  #nextTask = 0;
  #recorded = 0;

  /** A new connection; in a new term, or the same one. */
  connect(newTerm: boolean, kill = false): void {
    if (this.session > 0) this.world.agent.closed(this.session);
    this.session++;
    if (newTerm || this.term === 0) this.term++;
    this.#read = this.world.sent.length;
    this.world.tell(this.session, { kind: "lead", term: this.term });
    this.#judge(kill);
  }

  disconnect(): void {
    if (this.session > 0) this.world.agent.closed(this.session);
  }

  get connected(): boolean {
    return this.world.agent.leader === this.session && this.session > 0;
  }

  /** Books the registration and re-sends, as the same attempts, what it does not name (W3). */
  #judge(kills: boolean): void {
    const register = this.world.registrations().at(-1);
    if (!register) throw new Error("no registration");
    const named = new Set([
      ...namesIn(register.held),
      ...endsIn(register.reports).map((end) => end.split(" ")[0] ?? ""),
      ...register.reports.flatMap(({ returned }) => namesIn(returned)),
    ]);
    for (const name of this.open.keys()) {
      const range = this.open.get(name);
      if (range && !named.has(name)) this.#sendStart(range);
    }
    for (const name of named) expect(this.open.has(name) || this.#ended(name)).toBe(true);
    for (const report of register.reports) this.#book(report.n, [report]);
    const recorded = this.#recorded;
    const kill = kills ? register.held.slice(0, 2) : [];
    this.world.tell(this.session, { kind: "verdict", term: this.term, kill, recorded });
  }

  #ended(name: string): boolean {
    return this.outcomes.has(name) || this.returned.has(name);
  }

  assign(job: number, count: number, delivered: boolean): void {
    const first = this.#nextTask;
    this.#nextTask += count;
    const range = { job, first, count, attempt: 1 };
    for (const name of namesIn([range])) {
      const task = Number(/\/(\d+)#/.exec(name)?.[1]);
      this.open.set(name, { job, first: task, count: 1, attempt: 1 });
    }
    if (delivered && this.connected) this.#sendStart(range);
  }

  #sendStart({ job, first, count, attempt }: AttemptRange): void {
    const range = rangeOf(job, first, count, attempt);
    this.world.tell(this.session, startOf(this.term, jobs, range));
  }

  drain(on: boolean): void {
    if (!this.connected) return;
    const order = { on, exit: false, deadlineMs: 50 };
    this.world.tell(this.session, { kind: "drain", term: this.term, ...order });
  }

  /** Sends an open attempt again, as a leader may that is unsure. */
  resend(pick: number): void {
    const range = [...this.open.values()][pick % Math.max(1, this.open.size)];
    if (range && this.connected) this.#sendStart(range);
  }

  order(kind: "recall" | "cancel" | "stale", pick: number): void {
    const range = [...this.open.values()][pick % Math.max(1, this.open.size)];
    if (!range || !this.connected) return;
    const { term, session, world } = this;
    if (kind === "recall")
      world.tell(session, { kind, term, job: range.job, count: 1 + (pick % 5) });
    else if (kind === "cancel") world.tell(session, { kind, term, ranges: [range], reason: 32 });
    else world.tell(session, startOf(term - 1, jobs, rangeOf(1, 1_000_000 + pick, 1)));
  }

  /** Reads what came and records some of it, or nothing when the journal is slow. */
  record(some: boolean): void {
    if (!this.connected) return;
    const news = this.world.sent.slice(this.#read);
    this.#read = this.world.sent.length;
    for (const { session, message } of news) {
      if (session === this.session && message.kind === "report") this.#book(message.n, [message]);
    }
    if (!some) return;
    this.world.tell(this.session, { kind: "recorded", term: this.term, n: this.#recorded });
  }

  #book(n: number, reports: Parameters<typeof endsIn>[0]): void {
    if (n <= this.#recorded) return;
    expect(n).toBe(this.#recorded + 1);
    this.#recorded = n;
    for (const end of endsIn(reports)) this.#count(this.outcomes, end.split(" ")[0] ?? "");
    for (const { returned } of reports) {
      for (const name of namesIn(returned)) this.#count(this.returned, name);
    }
  }

  #count(counters: Map<string, number>, name: string): void {
    counters.set(name, (counters.get(name) ?? 0) + 1);
    this.open.delete(name);
  }

  check(): void {
    const { world } = this;
    world.clock.pass(0);
    expect(new Set(world.starts).size).toBe(world.starts.length);
    for (const [name, amount] of world.agent.used) {
      expect(amount).toBeLessThanOrEqual(capacity[name as keyof typeof capacity]);
      expect(amount).toBeGreaterThanOrEqual(0);
    }
    // Known = held + ended and not recorded.
    const reports = world.agent.unrecorded;
    const ended = endsIn(reports).length + reports.flatMap((r) => namesIn(r.returned)).length;
    expect(world.agent.known).toBe(world.agent.held + ended);
    expect(world.agent.held).toBeGreaterThanOrEqual(0);
  }

  /** Lets everything end. */
  settle(): void {
    this.connect(true);
    this.drain(false);
    for (let i = 0; i < 4_000 && this.open.size > 0; i++) {
      this.world.turn();
      for (const slot of this.world.alive) slot.finish(3);
      this.world.clock.pass(100);
      this.record(true);
    }
  }
}

const pick = fc.nat(1_000);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("assign" as const),
      job: fc.integer({ min: 1, max: 3 }),
      count: fc.integer({ min: 1, max: 30 }),
      delivered: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("connect" as const),
      newTerm: fc.boolean(),
      kill: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("drain" as const), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("disconnect" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("resend" as const), pick }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("order" as const),
      order: fc.constantFrom("recall" as const, "cancel" as const, "stale" as const),
      pick,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("record" as const), some: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(120) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("turn" as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("slot" as const),
      at: fc.nat(7),
      does: fc.constantFrom("ready", "begin", "finish", "short", "die"),
      count: fc.nat(40),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function act(leader: Leader, step: Step): void {
  const { world } = leader;
  switch (step.kind) {
    case "assign":
      return leader.assign(step.job, step.count, step.delivered);
    case "connect":
      return leader.connect(step.newTerm, step.kill);
    case "drain":
      return leader.drain(step.on);
    case "disconnect":
      return leader.disconnect();
    case "resend":
      return leader.resend(step.pick);
    case "order":
      return leader.order(step.order, step.pick);
    case "record":
      return leader.record(step.some);
    case "wait":
      return world.clock.pass(step.ms);
    case "turn":
      return world.turn();
    case "slot":
      return actOnSlot(world, step);
    default:
      step satisfies never;
  }
}

function actOnSlot(world: World, { at, does, count }: Extract<Step, { kind: "slot" }>): void {
  const slot = world.alive[at % Math.max(1, world.alive.length)];
  if (does === "ready") slot?.ready();
  else if (does === "die" && count > 30) slot?.die("chance");
  if (!slot?.isReady) return;
  if (does === "begin") slot.begin();
  else if (does === "finish") slot.finish(1 + (count % 3));
  else if (does === "short") slot.finish(count, 0, 3);
}

test("any mix of orders, losses and slots: each attempt starts at most once and ends exactly once", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
      const leader = new Leader();
      leader.connect(true);
      for (const step of steps) {
        act(leader, step);
        leader.check();
      }
      leader.settle();
      leader.check();
      expect([...leader.open.keys()]).toEqual([]);
      for (const count of [...leader.outcomes.values(), ...leader.returned.values()]) {
        expect(count).toBe(1);
      }
      for (const name of leader.returned.keys()) {
        expect(leader.outcomes.has(name)).toBe(false);
        expect(leader.world.starts).not.toContain(name);
      }
      expect(leader.world.agent.held).toBe(0);
      for (const amount of leader.world.agent.used.values()) expect(amount).toBe(0);
    }),
    { numRuns: 300 },
  );
});

// Worker sessions, as the leader sees them: who is connected, registered, heard, silent, lost.
// Synchronous, with ports, so that the simulator drives this very code.
//
// Owns: sessions and their deadlines, orders on their way, hints (started, progress, load).
// Does not own: task state (core/), sockets and frames (session-server.ts).
//
//   S1. Orders go only to a session whose registration in this term is complete; what was decided before is
//       sent again by its reconciliation (W3). So no order is lost, and none depends on luck.
//   S2. At most one session is bound to a worker: a newer registration of it takes the place of the older.
//   S3. A worker is lost by a goodbye or a confirmed exit at once (W5), by silence after lostAfter (W4), and
//       in no other way; a reset alone is not a loss.
//   S4. After an election every deadline starts anew; a stall of this process is added to all (L7).

import type { StartedAttempt } from "../core/commands/worker.ts";
import type { Effect } from "../core/effect.ts";
import type { Recall } from "../core/placement/recall.ts";
import type { State } from "../core/state.ts";
import { limits } from "../protocol/limits.ts";
import type {
  MasterMessage,
  TaskProgress,
  WorkerHello,
  WorkerMessage,
  WorkerProgress,
  WorkerRegister,
  WorkerReport,
} from "../protocol/messages.ts";
import { addressesOf, refusalOf, welcome } from "./greeting.ts";
import { heardSince, numberOf } from "./heard.ts";
import { Hints } from "./hints.ts";
import { startMessages } from "./orders.ts";
import type { Started } from "./orders.ts";
import { Recalls } from "./recalls.ts";
import type { Connection, Session, SessionsPorts, Watch } from "./session-ports.ts";
import { cancelMessage, drainMessage, registration, verdictMessages } from "./verdict.ts";

/** How often deadlines are looked at; a longer gap than twice this is a stall (L7). */
const tickMs = 250;

export class Sessions {
  readonly #ports: SessionsPorts;
  readonly #sessions = new Map<Connection, Session>();
  readonly #bound = new Map<number, Session>();
  readonly #watches = new Map<number, Watch>();
  readonly recalls: Recalls;
  #hints = new Hints();
  #lastTick: number;
  #term = 0;
  #brakeUntil = 0;
  #stopped = false;

  constructor(ports: SessionsPorts) {
    this.#ports = ports;
    this.recalls = new Recalls(ports.clock);
    this.#lastTick = ports.clock.now();
    ports.clock.after(tickMs, () => this.#tick());
  }

  stop(): void {
    this.#stopped = true;
    for (const { connection } of [...this.#sessions.values()]) connection.close("the master stops");
  }

  // ── what the API asks ──────────────────────────────────────────────────────────────────

  liveOf(state: State, worker: number): { readonly connected: boolean; readonly running: number } {
    // A standby's sessions are idle (W1): that they stand is all it knows.
    if (!this.#ports.loop.leads) {
      return { connected: this.hears(state, [worker]).length > 0, running: 0 };
    }
    const session = this.#bound.get(worker);
    return { connected: session?.phase === "active", running: session?.load?.slotsBusy ?? 0 };
  }

  progressOf(job: number, task: number): Pick<TaskProgress, "percent" | "message"> | undefined {
    return this.#hints.progressOf(job, task);
  }

  isStarted(worker: number, attempt: StartedAttempt): boolean {
    return this.#hints.isStarted(worker, attempt);
  }

  /** False when the worker has no session. */
  sendTo(worker: number, message: MasterMessage): boolean {
    const session = this.#bound.get(worker);
    if (session?.phase !== "active") return false;
    session.connection.send([message]);
    return true;
  }

  // ── what masters say ───────────────────────────────────────────────────────────────────

  /** This master leads from here on: all deadlines start anew, and every worker must register (W1, S4). */
  elected(term: number, state: State): void {
    this.#term = term;
    this.#ports.log.info("this master leads: workers are told", { term });
    this.#watches.clear();
    this.#bound.clear();
    this.recalls.clear();
    const now = this.#ports.clock.now();
    for (const worker of state.workers.values()) {
      if (worker.state !== "lost" && worker.state !== "gone") this.#watch(worker.number, now);
    }
    for (const session of this.#sessions.values()) {
      if (session.hello === null) continue;
      session.phase = "greeted";
      session.connection.send([{ kind: "lead", term }]);
    }
  }

  /** This master leads no more: its orders end, and the workers register with the next leader. */
  deposed(): void {
    for (const worker of this.#bound.keys()) this.#ports.onWorkerGone(worker);
    this.#watches.clear();
    this.#bound.clear();
    this.recalls.clear();
    this.#hints = new Hints();
    for (const session of this.#sessions.values()) {
      if (session.hello !== null) session.phase = "greeted";
      session.early.length = 0;
    }
  }

  /** Workers keep a session with every master (W1): they are told when the list has changed. */
  mastersChanged(masters: readonly string[]): void {
    for (const { hello, connection } of this.#sessions.values()) {
      if (hello !== null) connection.send([{ kind: "masters", masters }]);
    }
  }

  /** Which of these workers were heard here a moment ago, by whatever session (L8). */
  hears(state: State, workers: readonly number[]): number[] {
    const since = this.#ports.clock.now() - limits.suspectAfterMs;
    return heardSince(since, this.#sessions.values(), state, workers);
  }

  /** Orders of a durable batch, in its order (L1). */
  perform(state: State, effects: readonly Effect[], recalls: readonly Recall[]): void {
    const starts = new Map<Session, Started[]>();
    for (const effect of effects) {
      if (effect.kind === "start") this.#collect(state, starts, effect);
      else if (effect.kind === "cancel") {
        this.#flush(state, starts);
        this.sendTo(effect.worker, cancelMessage(this.#term, effect));
      } else if (effect.kind === "drain") this.#drain(state, effect.worker);
      else if (effect.kind === "recorded") {
        this.sendTo(effect.worker, { kind: "recorded", term: this.#term, n: effect.n });
      }
    }
    this.#hints.follow(effects);
    this.#flush(state, starts);
    for (const recall of recalls) {
      const { worker, job, count } = recall;
      if (!this.sendTo(worker, { kind: "recall", term: this.#term, job, count })) continue;
      this.recalls.asked(worker);
    }
  }

  #collect(
    state: State,
    starts: Map<Session, Started[]>,
    start: Started & { readonly worker: number },
  ): void {
    const session = this.#bound.get(start.worker);
    if (session?.phase !== "active") return; // S1
    // What is assigned to a worker's new life is not for the session of its old one.
    if (session.incarnation !== state.workers.get(start.worker)?.info.incarnation) return;
    const list = starts.get(session) ?? [];
    list.push(start);
    starts.set(session, list);
  }

  #flush(state: State, starts: Map<Session, Started[]>): void {
    for (const [session, list] of starts) {
      session.connection.send(startMessages(state, list));
    }
    starts.clear();
  }

  #drain(state: State, number: number): void {
    const worker = state.workers.get(number);
    if (worker) this.sendTo(number, drainMessage(state, worker));
  }

  // ── what workers say ───────────────────────────────────────────────────────────────────

  opened(connection: Connection): void {
    this.#sessions.set(connection, {
      connection,
      hello: null,
      worker: 0,
      incarnation: "",
      phase: "dialled",
      early: [],
      load: null,
      heardAt: this.#ports.clock.now(),
    });
  }

  /** Any frame, a ping included, is a sign of life (W4), also while its registration is on its way. */
  heard(connection: Connection): void {
    const session = this.#sessions.get(connection);
    if (!session) return;
    session.heardAt = this.#ports.clock.now();
    if (session.phase === "registering") this.#aliveBeforeBound(session);
    else if (session.worker !== 0 && this.#bound.get(session.worker) === session) {
      this.#alive(session);
    }
  }

  received(connection: Connection, message: WorkerMessage): void {
    const session = this.#sessions.get(connection);
    if (!session || session.phase === "closed") return;
    if (message.kind === "hello") return this.#greet(session, message);
    if (session.hello === null)
      return this.#refuse(session, "bad_request", "The first message must be hello.");
    if (message.kind === "register") return this.#register(session, message);
    // Whatever else a session says counts only while it is the worker's own and of this term (S2). What comes
    // behind a registration waits for it: a report that was dropped would be taken for recorded later.
    if (session.worker === 0 || this.#bound.get(session.worker) !== session) {
      if (session.phase === "registering") session.early.push(message);
      return;
    }
    if (message.kind === "report") this.#report(session, message);
    else if (message.kind === "progress") this.#progress(session, message);
    else if (message.kind === "logChunk") this.#ports.onLogChunk(session.worker, message);
    else if (message.kind === "leaving") this.#leaves(session, message.deadlineMs);
    else if (message.kind === "goodbye")
      this.#lose(session.worker, session.incarnation, message.reason, "goodbye");
  }

  closed(connection: Connection, reason: string): void {
    const session = this.#sessions.get(connection);
    if (!session) return;
    this.#sessions.delete(connection);
    session.phase = "closed";
    const { worker } = session;
    if (worker === 0 || this.#bound.get(worker) !== session) return;
    this.#bound.delete(worker);
    this.#ports.onWorkerGone(worker);
    this.#confirmExit(worker, session.incarnation, reason);
  }

  #greet(session: Session, hello: WorkerHello): void {
    const { journalId, loop } = this.#ports;
    const refusal = refusalOf(hello, journalId);
    if (refusal) return this.#refuse(session, refusal.code, refusal.message);
    session.hello = hello;
    session.incarnation = hello.incarnation;
    session.phase = "greeted";
    const masters = loop.peek(addressesOf);
    session.connection.send([welcome(hello, { ...this.#ports, masters })]);
    if (loop.leads) session.connection.send([{ kind: "lead", term: this.#term }]);
  }

  #refuse(session: Session, code: string, message: string): void {
    session.connection.send([{ kind: "refuse", code, message }]);
    session.connection.close(message);
  }

  // ── registration ───────────────────────────────────────────────────────────────────────

  /** Registration, then its reports, then the verdict: one after the other through the loop (W2). */
  #register(session: Session, message: WorkerRegister): void {
    const { loop } = this.#ports;
    if (!loop.leads || message.term !== this.#term) return;
    const known = loop.peek((state) => state.workerNumbers.get(message.info.id) ?? 0);
    const other = this.#bound.get(known);
    const sameLife = other?.incarnation === message.info.incarnation;
    const otherAnswers =
      other !== undefined && other !== session && !sameLife && this.#isHeard(known);
    session.phase = "registering";
    session.early.length = 0;
    const started = this.#hints.startedBy(known);
    const { info, reports } = message;
    const request = { ...registration(message), otherAnswers, started };
    const bytes = request.ends.reduce((sum, block) => sum + block.bytes.length, 1_024);
    loop.request(request, bytes, (answer) => {
      if (session.phase !== "registering") return this.#ousted(info);
      if (!answer.ok) {
        if (answer.code === "not_leading") return;
        if (answer.code === "worker_id_in_use") this.#refuse(session, answer.code, answer.message);
        else session.connection.close(answer.message);
        return;
      }
      this.#bind(session, answer.worker, info.incarnation);
      for (const report of reports) this.#report(session, report);
      this.#settle(session, message);
      for (const early of session.early.splice(0)) this.received(session.connection, early);
    });
  }

  /** A life that ended meanwhile was registered last, its word came late: the one that is here registers anew. */
  #ousted({ id, incarnation }: WorkerRegister["info"]): void {
    const session = this.#bound.get(
      this.#ports.loop.peek((state) => numberOf(state, id, incarnation)),
    );
    if (session?.incarnation === incarnation) return;
    session?.connection.close("another life of this worker was registered");
  }

  #bind(session: Session, worker: number, incarnation: string): void {
    const before = this.#bound.get(worker);
    if (before && before !== session) {
      before.phase = "closed";
      before.connection.close("a newer session of this worker took its place");
    }
    session.worker = worker;
    session.incarnation = incarnation;
    this.#bound.set(worker, session);
    this.#hints.forgetWorker(worker);
    this.recalls.forget(worker);
    this.#watch(worker, this.#ports.clock.now());
  }

  #settle(session: Session, message: WorkerRegister): void {
    const { log, loop } = this.#ports;
    const { worker, incarnation } = session;
    const request = { kind: "settleHeld", worker, incarnation, held: message.held } as const;
    loop.request(request, 64, (answer) => {
      // What could not be decided now is said anew by the next registration.
      if (!answer.ok) {
        if (answer.code !== "not_leading") session.connection.close(answer.message);
        return;
      }
      const look = (state: State): MasterMessage[] | undefined => {
        const found = state.workers.get(worker);
        if (found?.info.incarnation !== incarnation) return undefined;
        return verdictMessages(state, found, message.held);
      };
      loop.read(look, (verdict) => {
        if (session.phase !== "registering" || this.#bound.get(worker) !== session) return;
        if (!verdict) return session.connection.close("another process took this worker's place");
        session.phase = "active";
        session.connection.send(verdict);
        log.info("a worker has registered", { worker: session.hello?.id, term: this.#term });
        const said = { started: message.started, tasks: [] };
        loop.peek((state) => this.#hints.take(state, worker, said));
        loop.poke();
      });
    });
  }

  #report(session: Session, report: WorkerReport): void {
    const { worker, incarnation } = session;
    const { n, blocks, returned } = report;
    // What comes with a registration an earlier leader may have asked for.
    if (returned.length > 0 && session.phase === "active") this.recalls.returned(worker);
    const bytes = blocks.reduce((sum, block) => sum + block.bytes.length, 64);
    const request = { kind: "report", worker, incarnation, n, blocks, returned } as const;
    this.#ports.loop.request(request, bytes, (answer) => {
      // `recorded` follows from the entry; after a term the worker says it all again to who leads next.
      if (answer.ok || answer.code === "not_leading") return;
      this.#ports.log.warn("a report was not taken", { worker, n, why: answer.message });
      session.connection.close(answer.message);
    });
  }

  #progress(session: Session, message: WorkerProgress): void {
    session.load = message.load;
    this.#ports.loop.peek((state) => this.#hints.take(state, session.worker, message));
  }

  /** Its own wish: no leader takes it back, and its next life may be sent work. */
  #leaves({ worker, incarnation }: Session, deadlineMs: number): void {
    const wish = { deadlineMs, exit: true, undo: false };
    this.#ports.loop.request({ kind: "drain", worker, incarnation, ...wish }, 64, () => {});
  }

  // ── deadlines ──────────────────────────────────────────────────────────────────────────

  #watch(worker: number, now: number): void {
    this.#watches.set(worker, { heardAt: now, silent: false, losing: false, dialling: false });
  }

  #isHeard(worker: number): boolean {
    const watch = this.#watches.get(worker);
    return watch !== undefined && this.#ports.clock.now() - watch.heardAt < limits.suspectAfterMs;
  }

  #alive(session: Session): void {
    const watch = this.#watches.get(session.worker);
    if (!watch) return;
    watch.heardAt = this.#ports.clock.now();
    if (!watch.silent) return;
    watch.silent = false;
    this.#news(session.worker, session.incarnation, "heard");
  }

  #aliveBeforeBound({ hello, incarnation }: Session): void {
    const look = (state: State) => numberOf(state, hello?.id ?? "", incarnation);
    const watch = this.#watches.get(this.#ports.loop.peek(look));
    if (watch) watch.heardAt = this.#ports.clock.now();
  }

  #tick(): void {
    if (this.#stopped) return;
    const now = this.#ports.clock.now();
    const stall = now - this.#lastTick - tickMs;
    this.#lastTick = now;
    if (stall > tickMs) for (const watch of this.#watches.values()) watch.heardAt += stall; // L7
    if (this.#ports.loop.leads) {
      if (this.recalls.restIsOver()) this.#ports.loop.poke();
      this.#watchAll(now);
      for (const [worker, watch] of this.#watches) this.#check(worker, watch, now);
    }
    this.#ports.clock.after(tickMs, () => this.#tick());
  }

  /** A worker whose session ended before its registration was answered must not be forgotten. */
  #watchAll(now: number): void {
    this.#ports.loop.peek((state) => {
      for (const { number, state: name } of state.workers.values()) {
        if (name !== "lost" && name !== "gone" && !this.#watches.has(number)) {
          this.#watch(number, now);
        }
      }
    });
  }

  #check(worker: number, watch: Watch, now: number): void {
    const silence = now - watch.heardAt;
    const known = this.#ports.loop.peek((state) => {
      const found = state.workers.get(worker);
      return found && { incarnation: found.info.incarnation, state: found.state };
    });
    if (!known || known.state === "lost" || known.state === "gone") {
      this.#watches.delete(worker);
      return;
    }
    if (silence > limits.confirmExitMs && !this.#bound.has(worker)) {
      this.#confirmExit(worker, known.incarnation, "no session of it was left");
    }
    if (silence < limits.suspectAfterMs) {
      // It was heard while the news of its silence was still on its way, or that of its return was lost.
      if (known.state === "suspect" && !watch.silent)
        this.#news(worker, known.incarnation, "heard");
    } else if (silence > (this.#ports.lostAfterMs ?? limits.lostAfterMs)) {
      const reason = `it was silent for ${Math.floor(silence / 1000)} s`;
      this.#lose(worker, known.incarnation, reason, "silence");
    } else if (!watch.silent) {
      watch.silent = true;
      this.#news(worker, known.incarnation, "silent");
    }
  }

  #news(worker: number, incarnation: string, news: "silent" | "heard"): void {
    this.#ports.loop.request({ kind: "workerNews", worker, incarnation, news }, 64, () => {});
  }

  /** W5: the session is cut; if the worker's own port refuses too, its process has ended. */
  #confirmExit(worker: number, incarnation: string, reason: string): void {
    const info = this.#ports.loop.peek((state) => state.workers.get(worker)?.info);
    const watch = this.#watches.get(worker);
    if (info?.incarnation !== incarnation || !this.#ports.loop.leads) return;
    if (watch?.dialling === true) return;
    if (watch) watch.dialling = true;
    this.#ports.dial(info, (answers) => {
      if (watch) watch.dialling = false;
      if (answers || this.#bound.has(worker)) return;
      this.#lose(worker, incarnation, `its process has ended (${reason})`, "exit");
    });
  }

  #braked(): void {
    const until = this.#ports.loop.peek(({ brakeUntil }) => brakeUntil);
    if (until === this.#brakeUntil) return;
    this.#brakeUntil = until;
    const silent = [...this.#watches].filter(([, watch]) => watch.silent);
    this.#ports.onBraked?.(silent.map(([worker]) => worker));
  }

  #lose(
    worker: number,
    incarnation: string,
    reason: string,
    how: "goodbye" | "exit" | "silence",
  ): void {
    const watch = this.#watches.get(worker);
    if (watch?.losing === true) return;
    if (watch) watch.losing = true;
    const started = this.#hints.startedBy(worker);
    const what = { gone: how === "goodbye", silent: how === "silence" };
    const loss = { worker, incarnation, reason, ...what, started };
    this.#ports.loop.request({ kind: "loseWorker", ...loss }, 64, (answer) => {
      if (watch) watch.losing = false;
      if (answer.ok && answer.braked) return this.#braked();
      if (!answer.ok) return;
      this.#watches.delete(worker);
      this.#hints.forgetWorker(worker);
      const session = this.#bound.get(worker);
      if (session?.incarnation !== incarnation) return;
      this.#bound.delete(worker);
      this.#ports.onWorkerGone(worker);
      session.connection.close(reason);
    });
  }
}

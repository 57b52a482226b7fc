// The tail: what the journal has beyond this master's state, handed to the loop batch by batch.
//
//   T1. It looks when it is rung (by the leader, by the engine, by who must know), and every `tailMs` by itself:
//       a bell that is lost delays news, it does not hide them.
//   T2. One read at a time; who asks while one is under way gets one more after it, so that what was in the
//       journal when one asked has been followed when `done` is called.
//   T3. A leader does not read (J4), it only looks where the head is. Trouble of the engine is no news: it is read again. What was trimmed under
//       the reader makes it start over from a snapshot; any other break is a halt of this master (J5).

import { JournalHalt } from "../journal/halt.ts";
import type { StoredBatch } from "../journal/journal.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Loop } from "./loop.ts";

export interface TailPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly loop: Loop;
  /** Batches after an index, as many as fit one read; none at the head. */
  readAfter(index: number, done: (batches: readonly StoredBatch[] | Error) => void): void;
  /** Index of the journal's head. */
  head(done: (index: number | Error) => void): void;
  /** The journal begins after what this state needs: it is built again. */
  overtaken(why: string): void;
  halt(why: Error): void;
}

const tailMs = 200;
const headMs = 1_000;

export class Tail {
  readonly #ports: TailPorts;
  #reading = false;
  #again: (() => void)[] = [];
  #waiting: (() => void)[] = [];
  #failing = false;
  #stopped = false;
  /** When the journal last answered, by this process's clock. */
  #answeredAt: number;
  #headAt: number;
  #headAskedAt = 0;

  constructor(ports: TailPorts) {
    this.#ports = ports;
    this.#answeredAt = ports.clock.now();
    this.#headAt = ports.clock.now();
    this.#later();
  }

  stop(): void {
    this.#stopped = true;
  }

  get answeredAt(): number {
    return this.#answeredAt;
  }

  /** When the read began that found nothing more, by this process's clock: the state is as fresh as that. */
  get headAt(): number {
    return this.#headAt;
  }

  /** Looks soon; `done` once all that was in the journal now is followed, or could not be read. */
  look(done: () => void = () => {}): void {
    this.#again.push(done);
    this.#read();
  }

  #later(): void {
    this.#ports.clock.after(tailMs, () => {
      if (this.#stopped) return;
      this.#later();
      if (this.#ports.loop.leads) this.#watchHead();
      else if (!this.#reading) this.look();
    });
  }

  #read(): void {
    if (this.#reading || this.#stopped) return;
    const { loop } = this.#ports;
    this.#waiting = [...this.#waiting, ...this.#again.splice(0)];
    if (loop.leads || loop.rebuilding || loop.halted) return this.#done();
    this.#reading = true;
    const asked = this.#ports.clock.now();
    this.#ports.readAfter(loop.appliedIndex, (batches) => {
      this.#reading = false;
      if (this.#stopped) return;
      if (batches instanceof Error) this.#failed(batches);
      else {
        this.#answered();
        for (const batch of batches) loop.follow(batch);
        // A read has bounds: there may be more.
        if (batches.length > 0) return this.#read();
        this.#headAt = asked;
        loop.caughtUp();
      }
      this.#done();
    });
  }

  /** A leader asks for the head alone, and seldom: one that makes no renewals would never learn of another. */
  #watchHead(): void {
    const { clock, loop } = this.#ports;
    if (this.#reading || clock.now() - this.#headAskedAt < headMs) return;
    this.#reading = true;
    this.#headAskedAt = clock.now();
    this.#ports.head((index) => {
      this.#reading = false;
      if (index instanceof Error) this.#failed(index);
      else loop.headSeen(index);
      this.#done();
    });
  }

  #done(): void {
    for (const done of this.#waiting.splice(0)) done();
    if (this.#again.length > 0) this.#read();
  }

  #answered(): void {
    this.#answeredAt = this.#ports.clock.now();
    if (this.#failing) this.#ports.log.info("the journal can be read again");
    this.#failing = false;
  }

  #failed(error: Error): void {
    if (error instanceof JournalHalt) {
      if (error.kind === "trimmed") this.#ports.overtaken(error.message);
      else this.#ports.halt(error);
    } else if (!this.#failing) {
      this.#failing = true;
      this.#ports.log.warn("the journal cannot be read; trying again", { error });
    }
  }
}

// How clients reach the masters: a request with latency there and back, either of which can be lost or late, and a
// time after which the client gives up waiting. It asks the master that it was told leads, else one after the other.
// What handlers do between the two is the loop's.

import type { AnswerOf, Request } from "../../src/core/machine.ts";
import type { Refusal } from "../../src/core/refusal.ts";
import type { MasterLife } from "./master-life.ts";
import type { Parts } from "./master-wiring.ts";
import type { SimMaster } from "./master.ts";
import type { World } from "./world.ts";

const giveUpMs = 8_000;

/** A master that takes a request. */
export interface Taker extends Parts {
  readonly life: MasterLife;
}

/** One machine's way to the masters. */
export class SimApi {
  readonly node: string;
  /** The master that is asked next. */
  #target: number;
  readonly #world: World;

  constructor(world: World, node: string) {
    this.#world = world;
    this.node = node;
    this.#target = world.random.clients.between(0, world.masters.length - 1);
  }

  /** `done` is called once: with the answer, or with null when none came. */
  call<R extends Request>(
    make: (taker: Taker) => R,
    onAnswer: (answer: AnswerOf<R>) => void,
    done: (answer: AnswerOf<R> | null) => void,
  ): void {
    const master = this.#next();
    this.reach(master, (taker, answer, dead) => {
      if (taker === null) {
        this.#learn(master, null);
        return done(null);
      }
      const request = make(taker);
      taker.loop.request(request, 256, (given) => {
        onAnswer(given);
        answer(() => {
          if (dead()) return;
          this.#learn(master, given);
          done(given);
        });
      });
    });
  }

  /**
   * Brings a request to one master. `taken` gets that master, or null when nobody answered in time; what it wants
   * done at the client it gives to `answer`, unless `dead` says that the client waits no more.
   */
  reach(
    master: SimMaster,
    taken: (
      taker: Taker | null,
      answer: (arrives: () => void) => void,
      dead: () => boolean,
    ) => void,
  ): void {
    const { timeline, random, knobs, network } = this.#world;
    const wire = network.between(this.node, master.node);
    let over = false;
    const fail = () => {
      if (over) return;
      over = true;
      taken(
        null,
        () => {},
        () => true,
      );
    };
    timeline.after(giveUpMs, "client gives up", fail);
    timeline.after(wire.delay(this.node), "request", () => {
      const { life, listening } = master;
      if (master.machineDown) return;
      if (!life || !listening) {
        return void timeline.after(wire.delay(master.node), "refused", fail);
      }
      listening.enter("request", () => {
        if (!life.parts) return;
        const answer = (arrives: () => void) => {
          if (random.clients.chance(this.#world.calm ? 0 : knobs.lostAnswers)) return;
          timeline.after(wire.delay(master.node), "answer", () => {
            arrives();
            over = true;
          });
        };
        taken({ ...life.parts, life }, answer, () => over);
      });
    });
  }

  #next(): SimMaster {
    const { masters } = this.#world;
    const master = masters[this.#target % masters.length];
    if (!master) return this.#world.fail("there is no master");
    return master;
  }

  /** Who is asked next follows from the answer: the leader that was named, or the next in the list. */
  #learn(master: SimMaster, answer: { readonly ok: true } | Refusal | null): void {
    if (answer?.ok === true) return;
    if (answer !== null && !unknown.has(answer.code)) return;
    const { masters } = this.#world;
    const at = masters.indexOf(master);
    const named = masters.findIndex(({ address }) => address === answer?.leader);
    this.#target = named >= 0 && named !== at ? named : (at + 1) % masters.length;
  }

  /** Tries until it is answered with ok, or refused in a way that will not change. */
  insist<R extends Request>(
    make: (taker: Taker) => R,
    onAnswer: (answer: AnswerOf<R>) => void,
    done: (answer: AnswerOf<R>, tries: Tries) => void,
    tries: Tries = { lost: 0, refused: 0 },
  ): void {
    const { timeline, random } = this.#world;
    this.call(make, onAnswer, (answer) => {
      if (answer === null || (!answer.ok && unknown.has(answer.code))) tries.lost++;
      else if (answer.ok || !passing.has(answer.code)) return done(answer, tries);
      else {
        tries.refused++;
        const givesUp = !this.#world.calm && random.clients.chance(0.2);
        if (givesUp) return done(answer, tries);
      }
      const wait = random.clients.float() * 2_000;
      timeline.after(wait, "tries again", () => this.insist(make, onAnswer, done, tries));
    });
  }
}

/** How often no sure answer came, and how often it was a refusal that may pass. */
export interface Tries {
  lost: number;
  refused: number;
}

/** It may have been done, or may still be. */
const unknown = new Set(["outcome_unknown", "not_leading", "stalled"]);
const passing = new Set(["journal_full", "overloaded", "queue_full"]);

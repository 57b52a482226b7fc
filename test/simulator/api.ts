// How clients reach the master: a request with latency there and back, either of which can be lost, and a time
// after which the client gives up waiting. What handlers do between the two is the loop's.

import type { AnswerOf, Request } from "../../src/core/machine.ts";
import type { Loop } from "../../src/master/loop.ts";
import type { World } from "./world.ts";

const giveUpMs = 8_000;

export type Reply<A> = (answer: A) => void;

export class SimApi {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** `done` is called once: with the answer, or with null when none came. */
  call<R extends Request>(
    make: (loop: Loop) => R,
    onAnswer: (answer: AnswerOf<R>) => void,
    done: (answer: AnswerOf<R> | null) => void,
  ): void {
    const { timeline, random, knobs, master } = this.#world;
    const chance = random.clients;
    const latency = () => knobs.latencyMs * (0.5 + chance.float());
    let open = true;
    const end = (answer: AnswerOf<R> | null) => {
      if (!open) return;
      open = false;
      done(answer);
    };
    timeline.after(giveUpMs, "client gives up", () => end(null));
    timeline.after(latency(), "request", () => {
      const { life } = master;
      if (!life) return void timeline.after(latency(), "refused", () => end(null));
      life.process.enter("request", () => {
        const request = make(life.loop);
        life.loop.request(request, 256, (answer) => {
          onAnswer(answer);
          if (chance.chance(knobs.lostAnswers)) return;
          timeline.after(latency(), "answer", () => end(answer));
        });
      });
    });
  }

  /** Tries until it is answered with ok, or refused in a way that will not change. */
  insist<R extends Request>(
    make: (loop: Loop) => R,
    onAnswer: (answer: AnswerOf<R>) => void,
    done: (answer: AnswerOf<R>, tries: Tries) => void,
    tries: Tries = { lost: 0, refused: 0 },
  ): void {
    const { timeline, random } = this.#world;
    this.call(make, onAnswer, (answer) => {
      if (answer === null || (!answer.ok && answer.code === "outcome_unknown")) tries.lost++;
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

/** How often no answer came, and how often it was a refusal that may pass. */
export interface Tries {
  lost: number;
  refused: number;
}

const passing = new Set(["not_leading", "journal_full", "overloaded", "queue_full"]);

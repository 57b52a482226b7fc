// Messages of one session, in their order: one that names stored payloads waits until enough masters have these
// (A1), and whatever came behind it waits too.

import type { PayloadCopies } from "./payload-copies.ts";

export interface PayloadGateOptions<Message> {
  readonly copies: Pick<PayloadCopies, "areSecure" | "secure">;
  /** Stored payloads that a message names. */
  readonly named: (message: Message) => readonly string[];
  readonly pass: (message: Message) => void;
  /** `pass` threw when nobody was there to catch it. */
  readonly failed: (error: unknown) => void;
}

export class PayloadGate<Message> {
  readonly #options: PayloadGateOptions<Message>;
  readonly #queue: Message[] = [];
  #isWaiting = false;
  #isClosed = false;

  constructor(options: PayloadGateOptions<Message>) {
    this.#options = options;
  }

  take(messages: readonly Message[]): void {
    for (const message of messages) this.#queue.push(message);
    if (!this.#isWaiting) this.#passAll();
  }

  close(): void {
    this.#isClosed = true;
    this.#queue.length = 0;
  }

  #passAll(): void {
    const { copies, pass } = this.#options;
    let passed = 0;
    for (const message of this.#queue) {
      const named = this.#options.named(message);
      if (named.length > 0 && !copies.areSecure(named)) {
        this.#wait(named);
        break;
      }
      passed++;
      pass(message);
    }
    this.#queue.splice(0, passed);
  }

  /** A result is never refused: it waits for as long as its session lives. What nobody has goes on too. */
  #wait(named: readonly string[]): void {
    this.#isWaiting = true;
    const secured = () => {
      this.#isWaiting = false;
      const [first] = this.#queue.splice(0, 1);
      if (this.#isClosed || first === undefined) return;
      try {
        this.#options.pass(first);
        this.#passAll();
      } catch (error) {
        this.#options.failed(error);
      }
    };
    const again = () => {
      if (!this.#isClosed) this.#wait(named);
    };
    this.#options.copies.secure(named).then(secured, again);
  }
}

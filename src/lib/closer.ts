// Things to close, in reverse order of opening; each exactly once, even if another one fails.

export class Closer implements AsyncDisposable {
  #steps: (() => unknown)[] = [];

  /** Remembers something that is closed with this. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.#steps.push(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  defer(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** Everything moves to a new closer: disposing this one closes nothing any more. */
  move(): Closer {
    const next = new Closer();
    next.#steps = this.#steps;
    this.#steps = [];
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (const step of this.#steps.splice(0).toReversed()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, "not everything could be closed");
  }
}

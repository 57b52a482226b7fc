// Requests that are answered late: streams and waits. When the master stops, each is told to come to an end.

export class OpenRequests {
  readonly #stops = new Set<() => void>();
  #closing = false;

  get closing(): boolean {
    return this.#closing;
  }

  /** `stop` is called once when the master stops; returns a function that takes it back. */
  add(stop: () => void): () => void {
    if (this.#closing) queueMicrotask(stop);
    else this.#stops.add(stop);
    return () => void this.#stops.delete(stop);
  }

  close(): void {
    this.#closing = true;
    for (const stop of this.#stops) stop();
    this.#stops.clear();
  }
}

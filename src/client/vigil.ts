// Whether a master that has calls to answer still lives. A machine that is gone says nothing: its connections stay,
// and a call would wait for as long as an answer may take.
//
//   V1. Who waits for a master watches it. When none of them heard anything for `quietMs`, the master is asked
//       something small; if no answer comes within `askMs` either, every one who waits is told.
//   V2. A long wait is no silence: a master that lives answers what is small at once, and is asked again later.
//   V3. While nobody waits nothing is asked and no timer runs.

const quietMs = 1_000;
const askMs = 1_000;
const tickMs = 250;

interface Watched {
  readonly waiting: Set<() => void>;
  heardAt: number;
  asking: boolean;
}

export interface Watch {
  /** Bytes of that master have come. */
  readonly heard: () => void;
  readonly end: () => void;
}

export class Vigil {
  /** Rejects, or does not resolve in time, if the master does not live. */
  readonly #ask: (master: string, signal: AbortSignal) => Promise<unknown>;
  readonly #masters = new Map<string, Watched>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(ask: (master: string, signal: AbortSignal) => Promise<unknown>) {
    this.#ask = ask;
  }

  /** `lost` is called once at most, and not after `end`. */
  watch(master: string, lost: () => void): Watch {
    let watched = this.#masters.get(master);
    if (!watched) {
      watched = { waiting: new Set(), heardAt: performance.now(), asking: false };
      this.#masters.set(master, watched);
    }
    const { waiting } = watched;
    const found = watched;
    // Nothing could be heard while nobody listened.
    if (waiting.size === 0) found.heardAt = performance.now();
    // Its own function: two who wait may have given the same.
    const tell = () => lost();
    waiting.add(tell);
    this.#timer ??= setInterval(() => this.#look(), tickMs);
    return {
      heard: () => void (found.heardAt = performance.now()),
      end: () => void waiting.delete(tell),
    };
  }

  #look(): void {
    const now = performance.now();
    for (const [master, watched] of this.#masters) {
      if (watched.waiting.size === 0 && !watched.asking) this.#masters.delete(master);
      else if (!watched.asking && now - watched.heardAt > quietMs)
        void this.#askWhether(master, watched);
    }
    if (this.#masters.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #askWhether(master: string, watched: Watched): Promise<void> {
    watched.asking = true;
    const asked = performance.now();
    const given = new AbortController();
    const timer = setTimeout(() => given.abort(new Error(`no answer in ${askMs} ms`)), askMs);
    try {
      await this.#ask(master, given.signal);
      watched.heardAt = performance.now();
    } catch {
      // Heard meanwhile: it lives, whatever became of the question.
      if (watched.heardAt > asked) return;
      const waiting = [...watched.waiting];
      watched.waiting.clear();
      for (const tell of waiting) tell();
    } finally {
      clearTimeout(timer);
      watched.asking = false;
    }
  }
}

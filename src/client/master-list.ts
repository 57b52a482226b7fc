// The masters that a client knows, and which of them it asks now.
//
//   L1. What was given is never forgotten. What was learned is, as soon as it turns out to be no master of this
//       cluster: an address means something else on the other side of a tunnel.
//   L2. Several calls that fail at one master at once move on by one, not by one each.

import { SkeinError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";

export class MasterList {
  #urls: readonly string[];
  readonly #given: ReadonlySet<string>;
  readonly #wrong = new Set<string>();
  #current: string;

  constructor(given: readonly string[]) {
    this.#urls = [...new Set(given.map(checkOrigin))];
    const [first] = this.#urls;
    if (first === undefined) throw new SkeinError("usage", "A client needs one master at least.");
    this.#given = new Set(this.#urls);
    this.#current = first;
  }

  get current(): string {
    return this.#current;
  }

  get size(): number {
    return this.#urls.length;
  }

  /** To the next one, unless another call has moved on already. */
  leave(url: string): void {
    if (url !== this.#current) return;
    const next = (this.#urls.indexOf(url) + 1) % this.#urls.length;
    this.#current = this.#urls[next] ?? url;
  }

  /** To the one that leads, as `from` says; false if that is no news. */
  follow(from: string, leader: string): boolean {
    const [origin] = this.learn([leader]);
    if (origin === undefined || origin === from) return false;
    this.#current = origin;
    return true;
  }

  /** Returns those that may be asked. */
  learn(urls: readonly string[]): readonly string[] {
    const origins = urls.flatMap((url) => originOf(url) ?? []);
    const usable = origins.filter((origin) => !this.#wrong.has(origin));
    this.#urls = [...new Set([...this.#urls, ...usable])].slice(
      0,
      Math.max(this.#given.size, limits.mastersKnownMax),
    );
    return usable.filter((origin) => this.#urls.includes(origin));
  }

  /** It answered like something else; true if it was only learned. */
  isWrong(url: string): boolean {
    if (this.#given.has(url)) return false;
    this.leave(url);
    this.#wrong.add(url);
    this.#urls = this.#urls.filter((one) => one !== url);
    return true;
  }
}

function originOf(master: string): string | undefined {
  const url = URL.canParse(master) ? new URL(master) : undefined;
  return url?.protocol === "http:" || url?.protocol === "https:" ? url.origin : undefined;
}

function checkOrigin(master: string): string {
  const origin = originOf(master);
  if (origin !== undefined) return origin;
  throw new SkeinError("usage", `"${master}" is no address of a master.`, {
    hint: "Write it as http://host:port.",
  });
}

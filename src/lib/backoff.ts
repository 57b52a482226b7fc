// How long to wait before the next try: exponential with full jitter
// (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Milliseconds before try number `tries` (from 0). `random` yields [0, 1). */
export function backoffMs(
  tries: number,
  { firstMs, maxMs }: BackoffOptions,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(tries, 30));
  return Math.ceil(random() * ceiling);
}

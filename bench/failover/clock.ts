/**
 * One clock for all processes of a machine: CLOCK_MONOTONIC in milliseconds, with nanoseconds behind the point.
 * Wall clocks are stepped, and Date.now() counts whole milliseconds only.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

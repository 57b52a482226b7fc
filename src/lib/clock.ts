// Time as a port: the simulator has its own. Nothing else in the system reads a clock directly.

/** Cancels a timer; calling it twice, or after the timer fired, does nothing. */
export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds of a monotonic clock with an arbitrary start; may have a fraction. */
  now(): number;
  /** Milliseconds since 1970 by the wall clock: for people, never for deadlines. */
  wall(): number;
  /** Calls `fire` once after `delayMs`; the timer does not keep the process alive. */
  after(delayMs: number, fire: () => void): CancelTimer;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, fire) {
    const timer = setTimeout(fire, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

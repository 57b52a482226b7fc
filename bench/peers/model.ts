/**
 * What the peer benchmarks say and are asked.
 *
 * Owns the words of the result rows. Does not measure anything.
 */

export interface PeerOptions {
  /** No-op tasks per throughput round. */
  readonly tasks: number;
  /** Operations before the clock starts, for each throughput and round-trip series. */
  readonly warmup: number;
  /** Measured throughput rounds per arrangement of processes. */
  readonly rounds: number;
  /** Measured round trips; default 5,000. */
  readonly roundTrips?: number;
  /** A series of round trips ends here whatever its count; default 20 s each for warm-up and measure. */
  readonly roundTripMsMax?: number;
  /** Only peers whose name is listed; default all. */
  readonly only?: readonly PeerName[];
  /** One line per step, for people who wait. */
  readonly log?: (line: string) => void;
}

export type PeerName = "bullmq" | "graphile-worker";

/** One line of the table: `what` says which numbers it carries. */
export type PeerRow = ThroughputRow | RoundTripRow | SkippedRow;

export interface PeerSubject {
  readonly name: PeerName;
  readonly version: string;
  /** The preset or fsync mode: two rows with one `name` differ here. */
  readonly variant: string;
  readonly server: "Redis" | "PostgreSQL";
  readonly serverVersion: string;
  /** In words; the settings behind them are read back from the running server. */
  readonly durability: string;
}

export interface ThroughputRow extends PeerSubject {
  readonly what: "throughput";
  /** Tasks a second, first submit → last outcome at rest in the server. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Tasks per round. Every one of them was seen exactly once, or there is no row. */
  readonly n: number;
  readonly rounds: number;
  /** The arrangement of processes that was fastest, and the median of each one tried. */
  readonly arrangement: string;
  readonly tried: Readonly<Record<string, number>>;
}

export interface RoundTripRow extends PeerSubject {
  readonly what: "roundtrip";
  /** Milliseconds, one operation in flight. */
  readonly p50: number;
  readonly p99: number;
  readonly n: number;
  readonly warmup: number;
  /** From what to what, and in which processes. */
  readonly arrangement: string;
}

export interface SkippedRow {
  readonly what: "skipped";
  readonly name: PeerName;
  readonly reason: string;
}

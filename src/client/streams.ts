// Streams that survive a cut: each knows its position and opens anew from there.
//
//   R1. Every item is yielded once, in order, however often the connection is cut.
//   R2. A cut is no failure. Opening again is bounded by the call's `retryMs`, and a server that lets every
//       connection end at once, without a byte, is given up after ten.

import { SkeinError } from "../protocol/errors.ts";
import { LogRecordReader } from "../protocol/log-record.ts";
import type { FoundRecord } from "../protocol/log-record.ts";
import { formatPosition, RecordReader } from "../protocol/outcome-stream.ts";
import type { OutcomeRecord } from "../protocol/outcome-stream.ts";
import type { TransportResponse } from "./transport.ts";
import { backoffMs, pause, reasonOf } from "./wait.ts";

/** A record that says something: all but the pulse. */
export type OutcomeEvent = Exclude<OutcomeRecord, { kind: "pulse" }>;

export interface Source<Item> {
  /** Opens from the position reached. */
  readonly open: () => Promise<TransportResponse>;
  /** Forgets what was half read and returns a reader for a fresh body. */
  readonly reader: () => BodyReader<Item>;
  readonly signal: AbortSignal | undefined;
}

export interface BodyReader<Item> {
  /** Cuts items out of the bytes; the position moves as items are taken. */
  push(chunk: Uint8Array): Iterable<Item>;
  /** Whether the stream is over, now that the body has ended: properly, or cut. */
  done(properly: boolean): boolean;
}

const barrenMax = 10;

export async function* resume<Item>(source: Source<Item>): AsyncGenerator<Item, void, undefined> {
  for (let barren = 0; ;) {
    const response = await source.open();
    const opened = performance.now();
    const reader = source.reader();
    let heard = false;
    let cause: unknown;
    try {
      for await (const chunk of response.body) {
        heard = true;
        yield* reader.push(chunk);
      }
      // Read to its end, though the last item is known: so the connection can be used again.
      if (reader.done(true)) return;
    } catch (error) {
      if (source.signal?.aborted) throw reasonOf(source.signal);
      if (error instanceof SkeinError) throw error;
      if (reader.done(false)) return;
      cause = error;
    }
    barren = heard || performance.now() - opened > 1_000 ? 0 : barren + 1;
    if (barren > barrenMax) {
      const text = `A stream was cut ${barren} times before its first byte.`;
      throw new SkeinError("unreachable", text, { cause });
    }
    await pause(backoffMs(barren), source.signal);
  }
}

export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Outcome records after a position; with `follow` until the job has ended. */
export function outcomeEvents(
  open: (after: string | undefined) => Promise<TransportResponse>,
  options: StreamOptions & { readonly after?: string | undefined; readonly follow: boolean },
): AsyncGenerator<OutcomeEvent, void, undefined> {
  let after = options.after;
  let over = false;
  return resume({
    open: () => open(after),
    signal: options.signal,
    reader: () => {
      const records = new RecordReader();
      return {
        *push(chunk) {
          for (const record of records.push(chunk)) {
            if (record.kind === "pulse") continue;
            after = formatPosition(record.at);
            over = record.kind === "end";
            yield record;
          }
        },
        done: (properly) => over || (properly && !options.follow && records.idle),
      };
    },
  });
}

/** Lines of an NDJSON answer, without their line ends. */
export function lines(
  open: (from: number) => Promise<TransportResponse>,
  options: StreamOptions & { readonly from?: number | undefined },
): AsyncGenerator<string, void, undefined> {
  let from = options.from ?? 0;
  return resume({
    open: () => open(from),
    signal: options.signal,
    reader: () => {
      const decoder = new TextDecoder();
      let rest = "";
      return {
        *push(chunk) {
          const pieces = (rest + decoder.decode(chunk, { stream: true })).split("\n");
          rest = pieces.pop() ?? "";
          for (const line of pieces) {
            from++;
            yield line;
          }
        },
        done: (properly) => properly && rest === "",
      };
    },
  });
}

/**
 * What an attempt printed. The position counts bytes of the stored records, of both streams: so both are
 * always asked for, and what is not wanted is left out here.
 */
export function logRecords(
  open: (
    from: number,
    attempt: number | undefined,
    tail: number | undefined,
  ) => Promise<TransportResponse>,
  options: StreamOptions & {
    readonly attempt?: number | undefined;
    readonly from?: number | undefined;
    readonly stream?: "stdout" | "stderr" | "both" | undefined;
    readonly tail?: number | undefined;
  },
): AsyncGenerator<FoundRecord, void, undefined> {
  let from = options.from ?? 0;
  let attempt = options.attempt;
  // What follows the first of the last lines is all that follows.
  let tail = options.tail;
  const wanted = options.stream ?? "both";
  return resume({
    open: async () => {
      const response = await open(from, attempt, tail);
      // After a cut go on with the same attempt, not with one that began meanwhile.
      attempt ??= Number(response.header("skein-attempt")) || undefined;
      return response;
    },
    signal: options.signal,
    reader: () => {
      const records = new LogRecordReader(from);
      return {
        *push(chunk) {
          for (const record of records.push(chunk)) {
            from = record.end;
            tail = undefined;
            // What is missing is said, whatever is wanted.
            if (record.missing || wanted === "both" || record.stream === wanted) yield record;
          }
        },
        done: (properly) => properly && records.idle,
      };
    },
  });
}

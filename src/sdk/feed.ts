// From an iterable to a job: takes inputs as fast as the cluster takes parts, and no faster.

import { setImmediate } from "node:timers/promises";
import type { PartBuilder } from "./inputs.ts";
import type { JobWriter } from "./job-writer.ts";

/** A slow source is not waited for longer than this: what there is of a part goes out. */
const lingerMs = 20;

/** Feeds all inputs; afterwards what is left of the last part is still in the builder. */
export async function feed(
  inputs: Iterable<unknown> | AsyncIterable<unknown>,
  builder: PartBuilder,
  writer: JobWriter,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (isAsync(inputs)) return feedSlowly(inputs, builder, writer, signal);
  for (const input of inputs) {
    const late = builder.add(input);
    if (late) await late;
    if (!builder.full) continue;
    signal?.throwIfAborted();
    await writer.write(builder.take(), builder.jobs);
    // A turn of the loop for each part: so that it leaves, and the program around us lives.
    await setImmediate();
  }
}

async function feedSlowly(
  inputs: AsyncIterable<unknown>,
  builder: PartBuilder,
  writer: JobWriter,
  signal: AbortSignal | undefined,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let lingering: Promise<void> | undefined;
  let failure: unknown;
  const linger = () => {
    timer = undefined;
    if (builder.empty) return;
    lingering = writer
      .write(builder.take(), builder.jobs)
      .catch((error: unknown) => void (failure ??= error));
  };
  try {
    for await (const input of untilAborted(inputs, signal)) {
      const late = builder.add(input);
      if (late) await late;
      if (failure !== undefined) throw failure;
      if (builder.full) await writer.write(builder.take(), builder.jobs);
      else timer ??= setTimeout(linger, lingerMs);
    }
  } finally {
    clearTimeout(timer);
    await lingering;
  }
  if (failure !== undefined) throw failure;
}

/** The same items; an abort ends the wait for the next one. */
async function* untilAborted<Item>(
  items: AsyncIterable<Item>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Item, void, undefined> {
  if (!signal) {
    yield* items;
    return;
  }
  const iterator = items[Symbol.asyncIterator]();
  let stop = () => {};
  const onAbort = () => stop();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      // A promise for each item: a race against one that lives on would grow with every item.
      const next = await new Promise<IteratorResult<Item>>((resolve, reject) => {
        stop = () => reject(signal.reason);
        iterator.next().then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // A source that hangs in next() never answers return() either: it is told, not waited for.
    void iterator.return?.()?.catch(() => {});
  }
}

function isAsync(inputs: object): inputs is AsyncIterable<unknown> {
  return Symbol.asyncIterator in inputs;
}

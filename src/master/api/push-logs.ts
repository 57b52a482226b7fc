// POST /v1/worker-logs: what attempts printed, from the worker that ran them (docs/logs.md).

import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";

/** With so many workers as there are they make at most 500 bodies a second. */
const msPerWorker = 2;

export async function pushLogs(
  { master }: ApiContext,
  { request }: Call<"pushLogs">,
): Promise<Answer<"pushLogs">> {
  const { store } = master.keptLogs;
  // Long before submits are: a log is worth less than anything else here (J7).
  const { share } = master.usage();
  if (share >= limits.refuseLogsAt) {
    const percent = Math.floor(share * 100);
    const words = `Journal or disk is ${percent} % full: no more logs are taken.`;
    throw new SkeinError("overloaded", words, { retryAfter: 30 });
  }
  if (store.waitingBytes > limits.logIntakeBytesMax) {
    throw new SkeinError("overloaded", "More logs come than the disk takes.", { retryAfter: 1 });
  }
  const body = await bodyOf(request.raw);
  const { pieces } = await store.add(body);
  const workers = master.loop.peek((state) => state.workers.size);
  return { pieces, afterMs: workers * msPerWorker };
}

async function bodyOf(request: AsyncIterable<unknown>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // A stream without an encoding gives buffers.
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > limits.logPushBytesMax) {
      const words = `A body of logs has at most ${limits.logPushBytesMax} bytes.`;
      throw new SkeinError("too_large", words);
    }
    chunks.push(chunk);
  }
  // In memory of its own: it goes to another thread.
  return new Uint8Array(Buffer.concat(chunks));
}

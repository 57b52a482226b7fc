/** A child process that runs one peer worker. Its parent: workers.ts. */
import { startPeerWorker } from "./peer-worker.ts";
import type { PeerWorker } from "./peer-worker.ts";
import { Tally } from "./tally.ts";
import type { FromChild, ToChild } from "./workers.ts";

/** Finer would cost the peer; this is far below what a round lasts. */
const REPORT_MS = 5;

let worker: PeerWorker | undefined;
let tally = new Tally(0);
let reported = 0;

process.on("message", (message: ToChild) => {
  handle(message).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
// The parent is gone: nobody counts any more.
process.once("disconnect", () => process.exit(1));

async function handle(message: ToChild): Promise<void> {
  switch (message.kind) {
    case "start": {
      const counted = new Tally(message.tasksMax);
      tally = counted;
      worker = await startPeerWorker(message.settings, (index) => counted.mark(index));
      setInterval(reportProgress, REPORT_MS);
      return send({ kind: "ready" });
    }
    case "read":
      return send({ kind: "seen", seen: tally.seen });
    case "stop":
      await worker?.[Symbol.asyncDispose]();
      return process.exit(0);
    default:
      message satisfies never;
  }
}

function reportProgress(): void {
  if (tally.done === reported) return;
  reported = tally.done;
  send({ kind: "done", count: reported });
}

function send(message: FromChild): void {
  process.send?.(message);
}

// The loop's ports in a real process: the journal's promises become callbacks, chance and time come in.

import { connect } from "node:net";
import { newBatchId } from "../journal/batch.ts";
import type { Journal } from "../journal/journal.ts";
import { limits } from "../protocol/limits.ts";
import type { LoopPorts } from "./loop.ts";

/** What of the loop's ports the journal gives. A halt of the journal is a halt of the master (J5). */
export function journalPorts(
  journal: Journal,
  halt: (why: Error) => void,
): Pick<LoopPorts, "append" | "read" | "newBatchId" | "defer"> {
  return {
    append(expected, batch, done) {
      journal.append(expected, batch).then(done, halt);
    },
    read(index, done) {
      journal
        .read(index)
        .then(done, (error: unknown) =>
          done(error instanceof Error ? error : new Error(String(error))),
        );
    },
    newBatchId,
    defer: (fire) => void setImmediate(fire),
  };
}

/** W5: true unless the port refuses twice within 300 ms. Anything but a refusal counts as an answer. */
export function dialTwice(address: string, done: (answers: boolean) => void): void {
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[|\]$/g, "");
  const port = Number(address.slice(at + 1));
  refuses(host, port, (first) => {
    if (!first) return done(true);
    const wait = limits.exitDialMs / 3;
    setTimeout(() => refuses(host, port, (second) => done(!second)), wait).unref();
  });
}

function refuses(host: string, port: number, done: (refused: boolean) => void): void {
  const socket = connect({ host, port });
  let told = false;
  const tell = (refused: boolean) => {
    if (told) return;
    told = true;
    socket.destroy();
    done(refused);
  };
  socket.setTimeout(limits.exitDialMs, () => tell(false));
  socket.on("connect", () => tell(false));
  socket.on("error", (error: NodeJS.ErrnoException) => tell(error.code === "ECONNREFUSED"));
}

// The loop's ports in a real process: the journal's promises become callbacks, chance and time come in.

import { connect } from "node:net";
import { newBatchId } from "../journal/batch.ts";
import type { Journal, StoredBatch } from "../journal/journal.ts";
import { asError } from "../lib/as-error.ts";
import { limits } from "../protocol/limits.ts";
import type { LoopPorts } from "./loop-ports.ts";
import type { SessionsPorts } from "./session-ports.ts";

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
      readOrTrimmed(journal, index).then(done, (error: unknown) => done(asError(error)));
    },
    newBatchId,
    defer: (fire) => void setImmediate(fire),
  };
}

async function readOrTrimmed(
  journal: Journal,
  index: number,
): Promise<StoredBatch | undefined | "trimmed"> {
  const found = await journal.read(index);
  if (found) return found;
  return index <= (await journal.trimmed()) ? "trimmed" : undefined;
}

/**
 * Asks the port of a worker whether its process lives (W5). Only a worker of this very network is asked, as
 * `own` says: behind a tunnel or in a container its address means another place, where a refusal says nothing,
 * and a living worker would be taken for dead. Of all others only their silence tells.
 */
export function exitDial(own: string): SessionsPorts["dial"] {
  return ({ address, network }, done) => {
    if (address === "" || own === "" || network !== own) return done(true);
    dialTwice(address, done);
  };
}

/**
 * False once the port has refused twice in succession. Anything but a refusal counts as an answer, but not
 * the first one: a process that dies closes its sockets one after the other, and its port may answer when its
 * session is cut already.
 */
export function dialTwice(address: string, done: (answers: boolean) => void): void {
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[|\]$/g, "");
  const port = Number(address.slice(at + 1));
  let refusals = 0;
  let answers = 0;
  const dial = () =>
    refuses(host, port, (refused) => {
      refusals = refused ? refusals + 1 : 0;
      answers += refused ? 0 : 1;
      if (refusals === 2) return done(false);
      if (answers === answersMax) return done(true);
      setTimeout(dial, limits.exitDialMs / 3).unref();
    });
  dial();
}

/** Within a second: longer no process takes to die. */
const answersMax = 8;

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

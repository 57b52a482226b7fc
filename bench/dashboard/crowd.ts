/**
 * Many workers in one process: `crowd.ts URL COUNT SEED`, token in $SKEIN_TOKEN. Each is a real session and a real agent
 * (src/worker) with a slot that runs nothing. What they lack: child processes, spools on disk, logs, an exit port.
 */
import { randomBytes } from "node:crypto";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { protocolVersion } from "../../src/protocol/messages.ts";
import type { WorkerInfo } from "../../src/protocol/model.ts";
import { Agent } from "../../src/worker/agent.ts";
import type { ResultKeeper } from "../../src/worker/results.ts";
import { Sessions } from "../../src/worker/sessions.ts";
import { fakeExecutor } from "./fake-slot.ts";

const [url = "", count = "1", seed = "1"] = process.argv.slice(2);
const token = process.env["SKEIN_TOKEN"];
const executor = fakeExecutor(Number(seed));
const version = "0.1.0";
/** Dials of all would otherwise meet in one moment. */
const dialEveryMs = 2;

for (let n = 1; n <= Number(count); n++) {
  setTimeout(() => join(`w${n}`, n % 4 === 0 ? "gpu" : "cpu"), n * dialEveryMs);
}

function join(id: string, pool: string): void {
  const incarnation = randomBytes(8).toString("hex");
  const identity = { id, incarnation, version, journalId: null };
  const info: WorkerInfo = {
    id,
    incarnation,
    version,
    protocol: protocolVersion,
    hostname: `host-${id}`,
    pid: process.pid,
    node: process.version,
    platform: "linux-x64",
    address: "",
    amounts: { cpu: 2_000, memory: 8_192_000 },
    labels: { zone: `z${id.length}`, disk: "ssd" },
    pool,
    namespace: "default",
    by: "worker",
  };
  const sessions: Sessions = new Sessions({
    masters: [url],
    token,
    identity,
    clock: systemClock,
    log: silentLog,
    onMessages: (session, messages) => agent.receive(session, messages),
    onClosed: (session) => agent.closed(session),
    onRefused: ({ message }) => {
      throw new Error(message);
    },
  });
  const agent = new Agent(
    { info, slotsMax: 2, predecessor: [] },
    {
      clock: systemClock,
      executor,
      spool: { problem: undefined, append: () => {}, recorded: () => {} },
      results: inlineOnly,
      resolveInput: (_job, input, done) => {
        done({ kind: "input", input });
        return () => {};
      },
      log: silentLog,
      send: (session, messages) => sessions.send(session, messages),
      close: (session, reason) => sessions.close(session, reason),
      defer: (fire) => void setImmediate(fire),
      machine: () => ({ memoryFreeMiB: 4_096, diskFreeBytes: 10 ** 11 }),
      onExit: () => sessions.stop("left"),
    },
  );
  sessions.start();
}

/** What these workers end with travels inline. */
const inlineOnly: ResultKeeper = {
  bytes: 0,
  begin: () => {},
  end: () => {},
  areHad: (hashes) => hashes.length === 0,
  bring: () => {},
  forget: () => {},
};

process.on("SIGTERM", () => process.exit());

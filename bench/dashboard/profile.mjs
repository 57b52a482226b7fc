// Loaded into a master by NODE_OPTIONS=--import: each of its threads writes a CPU profile of the time in which the file
// $SKEIN_PROFILE.on is there to $SKEIN_PROFILE.<thread>.cpuprofile. (Node takes no --cpu-prof from there.)
import { existsSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { isMainThread, threadId } from "node:worker_threads";

const base = process.env.SKEIN_PROFILE;
// Threads have no arguments of their own.
if (base && (!isMainThread || process.argv.includes("master"))) {
  let session;
  setInterval(() => {
    const wanted = existsSync(`${base}.on`);
    if (wanted && !session) {
      session = new Session();
      session.connect();
      session.post("Profiler.enable");
      session.post("Profiler.setSamplingInterval", { interval: 500 });
      session.post("Profiler.start");
    } else if (!wanted && session) {
      const ended = session;
      session = undefined;
      ended.post("Profiler.stop", (_error, result) => {
        writeFileSync(`${base}.${threadId}.cpuprofile`, JSON.stringify(result.profile));
        ended.disconnect();
      });
    }
  }, 200).unref();
}

import { EtcdCluster } from "../tools/etcd.ts";
import { ProcessCluster } from "../processes/process-cluster.ts";
console.log("start");
const e = await EtcdCluster.start(); console.log(e.url("/chaos"));
const c = ProcessCluster.start({ masters: 3, workers: 3, journal: e.url("/chaos") });
const r = await Promise.race([c.then(() => "ok", (x) => String(x)), new Promise(r => setTimeout(r, 15000, "late"))]);
console.log(r); if (r==="ok") { const { JournalWatch } = await import("./facts.ts"); const w = await JournalWatch.open(e.url("/chaos")); console.log("watch"); console.log((await w.finish()).length); }
if (r === "late") { console.log("late"); const { execSync } = await import("node:child_process"); console.log(String(execSync("ps aux | grep 'wt/chaos/dist' | grep -v grep | cut -c1-200; ls -dt /tmp/skein-?????? | head -1; D=$(ls -dt /tmp/skein-?????? | head -1); ls -R $D | head -30"))); }
process.exit();

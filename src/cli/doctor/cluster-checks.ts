// Checks of a cluster: pure functions of what its masters answered and of what was seen from here (reach.ts).

import type { MastersView, OverviewView, StatusView, WorkerView } from "../../client/index.ts";
import { count, duration, plural } from "../format.ts";
import { bad, ok, unknown, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

export interface Reached {
  readonly address: string;
  /** Undefined: it did not answer. */
  readonly ms: number | undefined;
  readonly why?: string | undefined;
  /** Its wall clock minus this machine's; undefined where it did not say. */
  readonly clockMs?: number | undefined;
}

const namesMax = 5;

function names(all: readonly string[]): string {
  const more = all.length > namesMax ? ` and ${all.length - namesMax} more` : "";
  return all.slice(0, namesMax).join(", ") + more;
}

export function checkReach(reached: readonly Reached[]): Finding {
  const silent = reached.filter(({ ms }) => ms === undefined);
  const why = silent.map(({ address, why: reason }) => `${address}: ${reason}`).join("\n");
  if (silent.length === reached.length) {
    const what = "no master answers from here";
    return bad("masters", what, why, "Start one with `skein up`, or look at the way there.");
  }
  if (silent.length > 0) {
    const what = `${plural(silent.length, "master")} of ${reached.length} not reached from here`;
    return warn("masters", what, why, "Look at firewall and address (--advertise), or restart it.");
  }
  const slowest = Math.max(...reached.map(({ ms }) => ms ?? 0));
  return ok(
    "masters",
    `${plural(reached.length, "master answers", "masters answer")} within ${duration(slowest)}`,
  );
}

export function checkLeader({ leader }: Pick<StatusView, "leader">): Finding {
  if (leader) return ok("leader", `${leader.id} leads in term ${leader.term}`);
  const why = "Nothing is decided until a master is elected: seconds, where all is well.";
  const todo = "Look at the masters' logs; `skein master list` shows who lives.";
  return bad("leader", "nobody leads", why, todo);
}

export function checkStandbys({ items, survives }: MastersView): Finding {
  const away = items.filter(({ state }) => state === "away").map(({ id }) => id);
  if (away.length === 0) return ok("standbys", survives);
  const what = `${names(away)} ${away.length === 1 ? "is" : "are"} away`;
  return warn("standbys", what, survives, "Start it again, or stop counting on it.");
}

const skewWarnMs = 1_000;
const skewBadMs = 30_000;
const ntp = "Let every machine set its clock by NTP.";

/** Between masters, as the one that was asked sees them. */
export function checkMasterClocks({ items }: MastersView): Finding {
  const known = items.filter(({ clockMs }) => clockMs !== null);
  const worst = Math.max(0, ...known.map(({ clockMs }) => Math.abs(clockMs ?? 0)));
  if (known.length < 2) return ok("masters' clocks", "there is only one to look at");
  const what = `up to ${duration(worst)} apart`;
  const why = "Times of jobs and the age of logs jump when another master leads.";
  if (worst >= skewBadMs) return bad("masters' clocks", what, why, ntp);
  return worst > skewWarnMs ? warn("masters' clocks", what, why, ntp) : ok("masters' clocks", what);
}

/** The head of an answer tells whole seconds: nearer than this is no difference. */
const ownSkewMs = 3_000;

export function checkOwnClock(reached: readonly Reached[]): Finding {
  const known = reached.flatMap(({ clockMs }) => (clockMs === undefined ? [] : [clockMs]));
  if (known.length === 0) return unknown("own clock", "no master told its time");
  const worst = known.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  if (Math.abs(worst) < ownSkewMs) return ok("own clock", "agrees with the masters'");
  const side = worst > 0 ? "behind" : "ahead of";
  const what = `${duration(Math.abs(worst))} ${side} a master's`;
  return warn("own clock", what, "What is shown as “2m ago” is wrong by as much.", ntp);
}

export interface Versions {
  readonly own: { readonly version: string; readonly protocol: number };
  readonly cluster: { readonly version: string; readonly protocol: number };
  readonly masters: MastersView["items"];
  readonly workers: readonly WorkerView[];
}

export function checkVersions({ own, cluster, masters, workers }: Versions): Finding {
  if (own.protocol !== cluster.protocol) {
    const what = `this program speaks protocol ${own.protocol}, the cluster ${cluster.protocol}`;
    const todo = `Install skein ${cluster.version} here, or upgrade the cluster.`;
    return bad("versions", what, "They cannot understand each other.", todo);
  }
  const all = new Map<string, string[]>([[own.version, ["this program"]]]);
  const add = (version: string, who: string) =>
    all.set(version, [...(all.get(version) ?? []), who]);
  for (const { id, version } of masters) if (version !== null) add(version, `master ${id}`);
  for (const { id, version, connected } of workers) if (connected) add(version, `worker ${id}`);
  if (all.size === 1) return ok("versions", `all are ${own.version}`);
  const why = [...all].map(([version, who]) => `${version}: ${names(who)}`).join("\n");
  const todo = "Bring all to the newest: standbys first, then the leader, then workers.";
  return warn("versions", `${all.size} versions are at work`, why, todo);
}

export function checkWorkers(
  workers: readonly WorkerView[],
  { tasks }: Pick<StatusView, "tasks">,
): Finding {
  const of = (...states: string[]) => workers.filter(({ state }) => states.includes(state));
  const active = of("active").length;
  const waiting = tasks.ready + tasks.waiting + tasks.backoff;
  const start = "skein worker, or skein up --workers 2";
  if (active === 0 && waiting > 0) {
    const why = `${plural(waiting, "task")} wait, and nobody takes them.`;
    return bad("workers", "none is active", why, start);
  }
  const gone = of("lost", "suspect").map(({ id, state }) => `${id} (${state})`);
  if (gone.length > 0) {
    const what = `${names(gone)}; ${count(active)} active`;
    const why = "They stopped without a word, or cannot be reached; their tasks start elsewhere.";
    return warn("workers", what, why, "Look at those machines, and start the workers again.");
  }
  if (active === 0) return warn("workers", "none is there", "Nothing would run.", start);
  return ok("workers", `${count(active)} active`);
}

/** Both ways: they hold a session with a master, and their port takes connections. */
export function checkWorkerReach(
  workers: readonly WorkerView[],
  refused: readonly { readonly id: string; readonly why: string }[],
): Finding {
  const wanted = workers.filter(({ state }) => state === "active" || state === "draining");
  const cut = wanted.filter(({ connected }) => !connected).map(({ id }) => id);
  if (cut.length > 0) {
    const why =
      "It has no connection to the leader: a firewall, a wrong --master, a stopped process.";
    return warn("worker connections", `${names(cut)} not connected`, why, "Look at its log.");
  }
  if (refused.length > 0) {
    const what = `${names(refused.map(({ id }) => id))} cannot be dialled from here`;
    const why = refused.map((one) => `${one.id}: ${one.why}`).join("\n");
    const todo = "Masters read logs there, and notice its death by that port: open it for them.";
    return warn("worker connections", what, why, todo);
  }
  return ok("worker connections", wanted.length === 0 ? "none to look at" : "both ways open");
}

const behindWarn = 10_000;
const behindBad = 1_000_000;

export function checkArchive({
  archive,
  journal,
}: Pick<StatusView, "archive" | "journal">): Finding {
  const behind = Math.max(0, journal.index - archive.watermark);
  if (behind < behindWarn) return ok("archive", `${plural(behind, "batch", "batches")} behind`);
  const what = `${count(behind)} batches behind`;
  const why =
    "Finished jobs cannot leave memory, and the journal cannot be trimmed, until it has them.";
  const todo = "Look for a slow disk under the data directory, and at the leader's log.";
  return behind >= behindBad ? bad("archive", what, why, todo) : warn("archive", what, why, todo);
}

/** Newest backup in ms of age; undefined: none was named. */
export function checkBackup(ageMs: number | "none" | undefined): Finding {
  const make = "skein backup FILE";
  if (ageMs === undefined) {
    const what = "its age is unknown: the cluster keeps no list of them";
    return unknown("backup", what, "skein doctor --backup FILE-OR-FOLDER looks at yours.");
  }
  const why = "What a broken disk takes is what came after the last one.";
  if (ageMs === "none") return bad("backup", "there is none where you said", why, make);
  const what = `the newest is ${duration(ageMs)} old`;
  const day = 86_400_000;
  if (ageMs > 30 * day) return bad("backup", what, why, make);
  return ageMs > 7 * day ? warn("backup", what, why, make) : ok("backup", what);
}

/** What the masters themselves want looked at. */
export function checkAttention({ attention }: Pick<OverviewView, "attention">): Finding {
  if (attention.length === 0) return ok("cluster", "the masters see nothing wrong");
  const level = attention.some((one) => one.level === "bad") ? bad : warn;
  const [first, ...rest] = attention.map(({ text }) => text);
  const hints = attention.flatMap(({ hint }) => (hint === null ? [] : [hint]));
  return level("cluster", first ?? "", rest.join("\n"), hints.join("\n") || "skein status");
}

/** What did the death of a leader cost? Read from what the cluster recorded, not from what the demo saw. */
import type { JobHandle, Skein } from "skein";

export interface Gap {
  /** The master that leads now, and its term. */
  readonly leader: string;
  readonly term: number;
  /** From the last outcome that the old leader recorded to the first start that the new one ordered. */
  readonly ms: number;
  /** Of it, until the new leader was elected. */
  readonly electedMs: number;
  /** Attempts that were running while nobody led, and ended as if nothing had been. */
  readonly ranThrough: number;
  /** Attempts that were lost though their worker lived. */
  readonly restarted: number;
}

interface Attempt {
  readonly worker: string;
  readonly state: string;
  readonly started: number;
  readonly ended: number;
}

const askedAtOnce = 16;

/** `victim`: the worker that was killed, whose attempts were lost with it. */
export async function gapOf(skein: Skein, map: JobHandle<unknown>, victim: string): Promise<Gap> {
  const { leader } = await skein.client.status({ strong: true });
  if (!leader) throw new Error("nobody leads");
  const { id, term } = leader;
  const elected = Date.parse(leader.since);
  const attempts = await attemptsOf(skein, map);
  const before = attempts.filter(({ ended }) => ended < elected);
  const after = attempts.filter(({ started }) => started >= elected);
  const lastOutcome = Math.max(...before.map(({ ended }) => ended));
  const firstStart = Math.min(...after.map(({ started }) => started));
  const ranThrough = attempts.filter(
    ({ state, started, ended }) => state === "succeeded" && started < elected && ended >= elected,
  );
  const lost = attempts.filter(({ state, worker }) => state === "lost" && worker !== victim);
  return {
    leader: id,
    term,
    ms: firstStart - lastOutcome,
    electedMs: elected - lastOutcome,
    ranThrough: ranThrough.length,
    restarted: lost.length,
  };
}

async function attemptsOf(skein: Skein, map: JobHandle<unknown>): Promise<Attempt[]> {
  const { tasks } = await map.view();
  const attempts: Attempt[] = [];
  for (let from = 0; from < tasks; from += askedAtOnce) {
    const some = Array.from({ length: Math.min(askedAtOnce, tasks - from) }, (_, i) => from + i);
    const details = await Promise.all(some.map((task) => skein.client.task(map.id, task)));
    for (const detail of details) {
      for (const { worker, state, started, ended } of detail.attempts) {
        if (started === null || ended === null) continue;
        attempts.push({ worker, state, started: Date.parse(started), ended: Date.parse(ended) });
      }
    }
  }
  return attempts;
}

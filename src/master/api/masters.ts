// Masters: who leads, who stands by and how far behind, and giving the lead away.

import type { State } from "../../core/state.ts";
import { SkeinError } from "../../protocol/errors.ts";
import type { MasterView } from "../../protocol/views.ts";
import type { Master } from "../context.ts";
import { look, toError } from "../context.ts";
import { freshLeader, notLeading } from "../not-leading.ts";
import type { Standby } from "../peers.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { survives } from "./survives.ts";

export async function masters({ master }: ApiContext): Promise<Answer<"masters">> {
  return look(master, (state) => ({
    items: mastersIn(master, state),
    term: state.term,
    survives: survives(master),
  }));
}

/** All that ever joined, by id, as this master sees them: only the leader knows who stands by. */
export function mastersIn(master: Master, state: State): MasterView[] {
  const standbys = new Map(master.peers.live().map((standby) => [standby.id, standby]));
  const known = new Map(state.masters);
  const { identity } = master;
  known.set(identity.id, { process: null, ...identity });
  return [...known.values()]
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, incarnation, addresses }) => {
      const named = { ...nothingKnown, id, incarnation, address: addresses[0] ?? "" };
      const standby = standbys.get(id);
      if (id === identity.id) return { ...named, ...ownView(master, state) };
      if (standby) return { ...named, ...standbyView(standby, state) };
      if (id === freshLeader(master)?.id) return { ...named, ...leading(state) };
      return { ...named, state: master.loop.leads ? "away" : "unknown" } as const;
    });
}

const nothingKnown = {
  version: null,
  term: null,
  applied: null,
  lag: null,
  watermark: null,
  snapshot: null,
  clockMs: null,
  since: null,
};

function leading({ term, leader }: State) {
  const since = leader ? new Date(leader.electedWall).toISOString() : null;
  return { state: "leading", term, since } as const;
}

function ownView(master: Master, state: State) {
  const { loop, archive, version } = master;
  const { term, index: applied, snapshotIndex: snapshot } = state;
  const role = loop.leads ? leading(state) : ({ state: "standing by", term } as const);
  const { watermark } = archive;
  return { ...role, version, applied, lag: loop.leads ? 0 : null, watermark, snapshot, clockMs: 0 };
}

function standbyView(standby: Standby, { index }: State) {
  const { version, incarnation, applied, watermark, snapshot, clockMs } = standby;
  const lag = Math.max(0, index - applied);
  const more = { version, incarnation, applied, lag, watermark, snapshot, clockMs };
  return { state: "standing by", ...more } as const;
}

export async function stepDown(
  { master }: ApiContext,
  { body }: Call<"stepDown">,
): Promise<Answer<"stepDown">> {
  const { loop, identity } = master;
  if (!loop.leads) {
    // Whoever asks again, because the answer was lost, is told that it is done.
    const { term, leader } = await look(master, (state) => state);
    if (body.term === undefined || body.term >= term || !leader) throw notLeading(master);
    return { id: leader.id, term: body.term, to: body.to ?? null, done: true };
  }
  const term = await look(master, (state) => state.term);
  if (body.term !== undefined && body.term < term) {
    return { id: identity.id, term: body.term, to: body.to ?? null, done: true };
  }
  const to = checkedTarget(master, body.to);
  await new Promise<void>((resolve, reject) => {
    master.leadership.stepDown(to, (answer) => {
      if (answer.ok) resolve();
      else reject(toError(answer));
    });
  });
  return { id: identity.id, term, to, done: true };
}

function checkedTarget({ peers, identity }: Master, to: string | undefined): string | null {
  const live = peers.live().map(({ id }) => id);
  if (live.length === 0) {
    throw new SkeinError("conflict", `${identity.id} leads, and no other master stands by.`, {
      hint: "Start one: `skein master --id m2`, or stop this one if nobody is to lead.",
    });
  }
  if (to === undefined || live.includes(to)) return to ?? null;
  const what = to === identity.id ? "leads already" : "is no master that stands by now";
  throw new SkeinError("conflict", `${to} ${what}.`, {
    hint: `These stand by: ${live.join(", ")}.`,
  });
}

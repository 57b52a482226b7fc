// What may die without the cluster stopping, in words: from the engine and the masters that live now.

import type { Master } from "../context.ts";
import { freshLeader } from "../not-leading.ts";

export function survives(master: Master): string {
  const { journal, loop, peers, leadership } = master;
  if (journal.engine === "memory") return "Nothing survives: the journal is in memory.";
  if (!loop.leads) {
    const leader = freshLeader(master);
    if (!leader) return "Nobody is known to lead: what can be lost is not known now.";
    return `This master stands by: ${leader.id}, which leads, knows what can be lost.`;
  }
  const live = 1 + peers.live().length;
  const words = wordsFor(journal.engine, live, journal.members?.());
  const stopped = live > 1 && leadership.survivesStopped?.() === false;
  return stopped ? `${words} A leader that is stopped but not dead is not survived.` : words;
}

function wordsFor(engine: string, live: number, members: number | undefined): string {
  const masters = live === 1 ? "no master" : `${live - 1} of ${live} masters`;
  if (engine === "sqlite") {
    return live === 1
      ? "No machine may be lost: one master on SQLite. A restart of the master loses nothing."
      : `Can lose ${masters}, and no machine: all masters share one disk.`;
  }
  // A stored payload is on the disks of two masters, if there are two (A1).
  const disks = live > 2 ? " Of their disks 1: a stored payload is on 2 of them." : "";
  // An engine that will not tell its members says 0.
  if (!members) return `Can lose ${masters}; of ${engine}'s members nothing is known.${disks}`;
  const lost = Math.floor((members - 1) / 2);
  const which = lost === 0 ? "no" : `${lost} of ${members}`;
  return `Can lose ${masters} and ${which} ${engine} member${members > 1 ? "s" : ""}.${disks}`;
}

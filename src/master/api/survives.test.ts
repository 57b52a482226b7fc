import { expect, test } from "vitest";
import type { Master } from "../context.ts";
import { survives } from "./survives.ts";

function words(engine: string, standbys: number, members?: number, survivesStopped = true): string {
  const live = Array.from({ length: standbys }, (_, i) => ({ id: `m${i + 2}` }));
  // Only what the sentence is made of.
  return survives({
    journal: { engine, members: () => members },
    loop: { leads: true },
    peers: { live: () => live },
    leadership: { survivesStopped: () => survivesStopped },
  } as unknown as Master);
}

test.each([
  [words("memory", 2), "Nothing survives: the journal is in memory."],
  [
    words("sqlite", 0),
    "No machine may be lost: one master on SQLite. A restart of the master loses nothing.",
  ],
  [words("sqlite", 2), "Can lose 2 of 3 masters, and no machine: all masters share one disk."],
  [
    words("sqlite", 1, undefined, false),
    "Can lose 1 of 2 masters, and no machine: all masters share one disk. " +
      "A leader that is stopped but not dead is not survived.",
  ],
  [words("etcd", 1, 3), "Can lose 1 of 2 masters and 1 of 3 etcd members."],
  [
    words("etcd", 2, 5),
    "Can lose 2 of 3 masters and 2 of 5 etcd members. Of their disks 1: a stored payload is on 2 of them.",
  ],
  [words("etcd", 0, 1), "Can lose no master and no etcd member."],
  [words("etcd", 1, 0), "Can lose 1 of 2 masters; of etcd's members nothing is known."],
])("%s", (said, expected) => expect(said).toBe(expected));

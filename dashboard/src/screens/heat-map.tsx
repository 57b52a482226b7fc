// A tile for each worker: how much of it is in use. Its state is a sign and a border, its load a filling and a number.

import { Link } from "@tanstack/react-router";
import type { OverviewView } from "../../../src/client/index.ts";
import { percent } from "../ui/format.ts";
import { Command, Empty } from "../ui/parts.tsx";
import { lookOf } from "../ui/states.tsx";

type WorkerTile = OverviewView["workers"]["items"][number];

/** Beyond this many the tiles are too small for names. */
const namedMax = 60;

export function HeatMap({ workers }: { readonly workers: readonly WorkerTile[] }) {
  if (workers.length === 0) {
    return (
      <Empty why="No worker has joined: nothing can run.">
        <Command text="skein worker" />
      </Empty>
    );
  }
  const isDense = workers.length > namedMax;
  return (
    <ul className={isDense ? "tiles dense" : "tiles"}>
      {workers
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .map((worker) => (
          <Tile key={worker.id} worker={worker} isDense={isDense} />
        ))}
    </ul>
  );
}

function Tile({ worker, isDense }: { readonly worker: WorkerTile; readonly isDense: boolean }) {
  const { id, state, used, total, running } = worker;
  const load = total === 0 ? 0 : Math.min(1, used / total);
  const { tone, sign } = lookOf(state);
  const text = `${id}: ${state}, ${percent(load)} in use, ${running} running`;
  return (
    <li>
      <Link
        to="/workers/$worker"
        params={{ worker: id }}
        className={`tile tone-${tone} ${state === "active" ? "" : "ill"}`}
        aria-label={isDense ? text : undefined}
        title={text}
      >
        <span className="fill" style={{ width: `${load * 100}%` }} />
        {isDense ? null : (
          <>
            <bdi dir="auto">{id}</bdi>
            <span className="num">{state === "active" ? percent(load) : `${sign} ${state}`}</span>
          </>
        )}
      </Link>
    </li>
  );
}

// What happened, newest first: a row for each thing that a person wants to know.

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import type { EventView } from "../../../src/client/index.ts";
import { toggled, valuesOf } from "../api/filter.ts";
import { isRefused } from "../api/lists.ts";
import { useEvents } from "../api/queries.ts";
import { useCli } from "../shell/cli.tsx";
import { clockTime, count, exactTime, shortId } from "../ui/format.ts";
import { Ago, Empty, Loading, Name, Refused, Trouble } from "../ui/parts.tsx";
import { Table } from "../ui/table.tsx";
import type { Column } from "../ui/table.tsx";

const kinds: Readonly<Record<string, readonly string[]>> = {
  Jobs: ["job.created", "job.ended", "job.cancelled"],
  Failures: ["attempt.failed"],
  Workers: [
    "worker.joined",
    "worker.suspect",
    "worker.back",
    "worker.draining",
    "worker.lost",
    "worker.gone",
  ],
  Queues: ["queue.changed"],
  Masters: [
    "master.elected",
    "master.joined",
    "master.left",
    "master.resigned",
    "cluster.braked",
    "snapshot.taken",
  ],
};

export function Events() {
  const { filter = "" } = useSearch({ from: "/events" });
  const navigate = useNavigate();
  const events = useEvents(filter);
  useCli([{ does: "The cluster now", command: "skein status" }]);
  const chosen = valuesOf(filter, "kind");
  const set = (names: readonly string[]) => {
    const next = names.reduce((at, name) => toggled(at, "kind", name), filter);
    void navigate({ to: "/events", search: next === "" ? {} : { filter: next }, replace: true });
  };
  return (
    <div className="page full">
      <div className="head-line">
        <h1>Events</h1>
        {events.data ? <span className="dim num">{count(events.data.total)}</span> : null}
      </div>
      <div className="chips" role="group" aria-label="Filter">
        {Object.entries(kinds).map(([name, group]) => (
          <button
            key={name}
            type="button"
            className="chip"
            aria-pressed={group.every((kind) => chosen.includes(kind))}
            onClick={() => set(group)}
          >
            {name}
          </button>
        ))}
      </div>
      {isRefused(events.error) ? <Refused error={events.error} /> : null}
      {events.error && !events.data && !isRefused(events.error) ? (
        <Trouble error={events.error} what="The events" />
      ) : null}
      {!events.data && !events.error ? <Loading what="events" /> : null}
      {events.data?.items.length === 0 ? (
        <Empty
          why={filter === "" ? "Nothing has happened yet." : "Nothing of this kind has happened."}
        />
      ) : null}
      {events.data && events.data.items.length > 0 ? (
        <Table
          label="Events"
          columns={columns}
          rows={events.data.items}
          keyOf={({ id }) => id}
          onOpen={(event) => {
            const to = linkOf(event);
            if (to !== undefined) location.assign(to);
          }}
          total={events.data.total}
        />
      ) : null}
    </div>
  );
}

function linkOf({ job, worker }: EventView): string | undefined {
  if (job !== undefined) return `/jobs/${job}`;
  return worker === undefined ? undefined : `/workers/${encodeURIComponent(worker)}`;
}

const signs = { info: "·", warn: "!", bad: "✕" } as const;

const columns: readonly Column<EventView>[] = [
  {
    id: "at",
    head: "When",
    width: "150px",
    cell: ({ at }) => (
      <span className="num" title={exactTime(at)}>
        {clockTime(at)}{" "}
        <span className="dim">
          <Ago at={at} />
        </span>
      </span>
    ),
  },
  {
    id: "kind",
    from: 640,
    head: "Kind",
    width: "140px",
    cell: ({ kind, level }) => (
      <span className={`kind level-${level}`}>
        <span aria-hidden="true">{signs[level]}</span> {kind}
      </span>
    ),
  },
  {
    id: "text",
    head: "What happened",
    width: "minmax(160px, 1fr)",
    cell: ({ text }) => <Name text={text} />,
  },
  {
    id: "of",
    from: 560,
    head: "Of",
    width: "140px",
    cell: ({ job, worker, queue, master }) =>
      job !== undefined ? (
        <Link to="/jobs/$job" params={{ job }}>
          <code>{shortId(job)}</code>
        </Link>
      ) : worker !== undefined ? (
        <Link to="/workers/$worker" params={{ worker }}>
          <Name text={worker} />
        </Link>
      ) : (
        <Name text={queue ?? master ?? ""} />
      ),
  },
];

// All jobs, newest first, in dense rows; filters as chips in the address; what is chosen can be retried or cancelled, with
// the exact number said before.

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import type { JobView } from "../../../src/client/index.ts";
import { termsOf, valuesOf, without, withValues } from "../api/filter.ts";
import { isRefused } from "../api/lists.ts";
import { useJobs } from "../api/queries.ts";
import { etaOf } from "../api/eta.ts";
import { useCli } from "../shell/cli.tsx";
import { count, duration, exactTime, shortId } from "../ui/format.ts";
import { Ago, Command, Empty, Loading, Name, Refused, Trouble } from "../ui/parts.tsx";
import { State, StateBar } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import type { Column } from "../ui/table.tsx";
import { BulkBar } from "./bulk.tsx";

const states = ["open", "waiting", "running", "succeeded", "failed", "cancelled"] as const;

export function Jobs() {
  const { filter = "" } = useSearch({ from: "/jobs" });
  const navigate = useNavigate();
  const setFilter = (next: string) =>
    void navigate({ to: "/jobs", search: next === "" ? {} : { filter: next }, replace: true });
  const jobs = useJobs(filter);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(
    () => unique(jobs.data?.pages.flatMap(({ items }) => items) ?? []),
    [jobs.data],
  );
  const total = jobs.data?.pages[0]?.total ?? 0;
  useCli(cliOf(filter));
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = jobs;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  return (
    <div className="page full">
      <div className="head-line">
        <h1>Jobs</h1>
        <span className="dim num">
          {rows.length < total ? `${count(rows.length)} of ${count(total)} loaded` : count(total)}
        </span>
      </div>
      <Chips filter={filter} setFilter={setFilter} />
      {isRefused(jobs.error) ? <Refused error={jobs.error} /> : null}
      {jobs.error && !jobs.data && !isRefused(jobs.error) ? (
        <Trouble error={jobs.error} what="The jobs" />
      ) : null}
      {jobs.data && rows.length === 0 ? (
        <NoJobs filter={filter} onClear={() => setFilter("")} />
      ) : null}
      {jobs.data ? null : jobs.error ? null : <Loading what="jobs" />}
      {rows.length > 0 ? (
        <Table
          label="Jobs"
          columns={columns}
          rows={rows}
          keyOf={(job) => job.id}
          nameOf={(job) => `${job.task} ${shortId(job.id)}`}
          onOpen={(job) => void navigate({ to: "/jobs/$job", params: { job: job.id } })}
          more={more}
          total={total}
          chosen={chosen}
          onChoose={(key) => setChosen(flipped(chosen, key))}
        />
      ) : null}
      <BulkBar
        key={filter}
        chosen={rows.filter(({ id }) => chosen.has(id))}
        filter={filter}
        total={total}
        onClear={() => setChosen(new Set())}
      />
    </div>
  );
}

const unique = (jobs: readonly JobView[]): JobView[] => [
  ...new Map(jobs.map((job) => [job.id, job])).values(),
];

export function flipped(set: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(key)) next.add(key);
  return next;
}

function cliOf(filter: string) {
  const flag = filter === "" ? "" : ` --filter '${filter.replaceAll("'", "'\\''")}'`;
  return [
    { does: "This list", command: `skein job list${flag}` },
    { does: "The same for programs", command: `skein job list${flag} --json` },
    { does: "A new job of what failed", command: "skein job retry ID" },
    { does: "Cancel", command: "skein job cancel ID" },
  ];
}

const doneOf = ({ counts }: JobView): number => counts.succeeded + counts.failed + counts.cancelled;

export function tookMs({ started, ended }: JobView): number | null {
  if (started === null) return null;
  return (ended === null ? Date.now() : Date.parse(ended)) - Date.parse(started);
}

function Left({ job }: { readonly job: JobView }) {
  if (job.ended !== null) {
    const took = tookMs(job);
    return <span className="dim">{took === null ? "–" : `took ${duration(took)}`}</span>;
  }
  const eta = etaOf(job);
  return <>{eta === null ? <span className="dim">–</span> : `${duration(eta)} left`}</>;
}

const columns: readonly Column<JobView>[] = [
  { id: "state", head: "State", width: "104px", cell: (job) => <State state={job.state} /> },
  {
    id: "task",
    head: "Task",
    width: "minmax(120px, 1.4fr)",
    cell: (job) => (
      <Link to="/jobs/$job" params={{ job: job.id }}>
        <Name text={job.task} />
      </Link>
    ),
  },
  {
    id: "id",
    from: 640,
    head: "Id",
    width: "84px",
    cell: (job) => <code title={job.id}>{shortId(job.id)}</code>,
  },
  {
    id: "bar",
    head: "Progress",
    width: "minmax(90px, 1.2fr)",
    cell: (job) => <StateBar counts={job.counts} />,
  },
  {
    id: "done",
    from: 560,
    head: "Done",
    width: "104px",
    end: true,
    cell: (job) => `${count(doneOf(job))}/${count(job.tasks)}`,
  },
  {
    id: "failed",
    from: 440,
    head: "Failed",
    width: "64px",
    end: true,
    cell: (job) =>
      job.counts.failed === 0 ? (
        <span className="dim">0</span>
      ) : (
        <b className="tone-bad">{count(job.counts.failed)}</b>
      ),
  },
  {
    id: "left",
    from: 820,
    head: "Time",
    width: "104px",
    end: true,
    cell: (job) => <Left job={job} />,
  },
  {
    id: "queue",
    from: 720,
    head: "Queue",
    width: "96px",
    cell: (job) => <Name text={job.queue} />,
  },
  {
    id: "priority",
    from: 1330,
    head: "Prio",
    width: "44px",
    end: true,
    cell: (job) => job.priority,
  },
  {
    id: "by",
    from: 1400,
    head: "By",
    width: "72px",
    cell: (job) => <Name text={job.by} />,
  },
  {
    id: "labels",
    from: 1040,
    head: "Labels",
    width: "minmax(90px, 1.6fr)",
    cell: (job) => <Labels labels={job.labels} />,
  },
  {
    id: "age",
    from: 640,
    head: "Submitted",
    width: "86px",
    end: true,
    cell: (job) => (
      <span title={exactTime(job.created)}>
        <Ago at={job.created} />
      </span>
    ),
  },
];

export function Labels({ labels }: { readonly labels: Readonly<Record<string, string>> }) {
  const pairs = Object.entries(labels);
  const text = pairs.map(([name, value]) => `${name}=${value}`).join("  ");
  return pairs.length === 0 ? (
    <span className="dim">–</span>
  ) : (
    <span className="labels" title={text}>
      {pairs.map(([name, value]) => (
        <bdi key={name} className="label" dir="auto">
          {name}={value}
        </bdi>
      ))}
    </span>
  );
}

function Chips(props: { readonly filter: string; readonly setFilter: (filter: string) => void }) {
  const { filter, setFilter } = props;
  const [draft, setDraft] = useState("");
  const chosen = valuesOf(filter, "state");
  const others = termsOf(filter).filter(({ name }) => name !== "state");
  return (
    <div className="chips" role="group" aria-label="Filter">
      {states.map((state) => (
        <button
          key={state}
          type="button"
          className="chip"
          aria-pressed={chosen.includes(state)}
          onClick={() =>
            setFilter(withValues(filter, "state", chosen.includes(state) ? [] : [state]))
          }
        >
          <State state={state} />
        </button>
      ))}
      {others.map(({ text }) => (
        <button
          key={text}
          type="button"
          className="chip on"
          aria-label={`Take away ${text}`}
          onClick={() => setFilter(without(filter, text))}
        >
          <bdi>{text}</bdi> <span aria-hidden="true">×</span>
        </button>
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (draft.trim() !== "") setFilter(`${filter} ${draft.trim()}`.trim());
          setDraft("");
        }}
      >
        <input
          aria-label="Add to the filter, such as queue:default"
          placeholder="queue:default  label.team=x"
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
        />
      </form>
      {filter === "" ? null : (
        <button type="button" className="plain" onClick={() => setFilter("")}>
          Clear
        </button>
      )}
    </div>
  );
}

function NoJobs({ filter, onClear }: { readonly filter: string; readonly onClear: () => void }) {
  if (filter !== "") {
    return (
      <Empty why={`No job fits “${filter}”.`}>
        <button type="button" onClick={onClear}>
          Show all jobs
        </button>
      </Empty>
    );
  }
  return (
    <Empty why="No job has been submitted yet. Try one:">
      <Command text="skein run -- echo hi" />
    </Empty>
  );
}

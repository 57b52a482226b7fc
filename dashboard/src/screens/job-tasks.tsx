// The tasks of a job as a table, failed ones a click away.

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import type { JobView, TaskView } from "../../../src/client/index.ts";
import { valuesOf, withValues } from "../api/filter.ts";
import { isRefused } from "../api/lists.ts";
import { useTasks } from "../api/queries.ts";
import { count, percent } from "../ui/format.ts";
import { Empty, Loading, Name, Refused, Trouble } from "../ui/parts.tsx";
import { State } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import type { Column } from "../ui/table.tsx";

const states = [
  "waiting",
  "ready",
  "backoff",
  "assigned",
  "succeeded",
  "failed",
  "cancelled",
] as const;

export function Tasks({ job }: { readonly job: JobView }) {
  const { filter = "" } = useSearch({ from: "/jobs/$job" });
  const navigate = useNavigate();
  const tasks = useTasks(job.id, filter);
  const rows = useMemo(() => tasks.data?.pages.flatMap(({ items }) => items) ?? [], [tasks.data]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = tasks;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const chosen = valuesOf(filter, "state");
  const set = (next: string) =>
    void navigate({
      to: "/jobs/$job",
      params: { job: job.id },
      search: { tab: "tasks", ...(next === "" ? {} : { filter: next }) },
      replace: true,
    });
  return (
    <>
      <div className="chips" role="group" aria-label="Filter">
        {states.map((state) => (
          <button
            key={state}
            type="button"
            className="chip"
            aria-pressed={chosen.includes(state)}
            onClick={() => set(withValues(filter, "state", chosen.includes(state) ? [] : [state]))}
          >
            <State state={state} /> <span className="num dim">{count(job.counts[state])}</span>
          </button>
        ))}
      </div>
      {isRefused(tasks.error) ? <Refused error={tasks.error} /> : null}
      {tasks.error && !tasks.data && !isRefused(tasks.error) ? (
        <Trouble error={tasks.error} what="The tasks" />
      ) : null}
      {!tasks.data && !tasks.error ? <Loading what="tasks" /> : null}
      {tasks.data && rows.length === 0 ? <Empty why="No task is in these states now." /> : null}
      {rows.length > 0 ? (
        <Table
          label="Tasks"
          columns={columns}
          rows={rows}
          keyOf={(task) => String(task.task)}
          onOpen={({ task }) =>
            void navigate({ to: "/jobs/$job/$task", params: { job: job.id, task: String(task) } })
          }
          more={more}
          total={tasks.data?.pages[0]?.total ?? 0}
        />
      ) : null}
    </>
  );
}

const columns: readonly Column<TaskView>[] = [
  {
    id: "task",
    head: "Task",
    width: "84px",
    end: true,
    cell: ({ job, task }) => (
      <Link to="/jobs/$job/$task" params={{ job, task: String(task) }}>
        {count(task)}
      </Link>
    ),
  },
  { id: "state", head: "State", width: "120px", cell: ({ state }) => <State state={state} /> },
  { id: "attempt", head: "Attempt", width: "72px", end: true, cell: ({ attempt }) => attempt },
  {
    id: "worker",
    head: "Worker",
    width: "minmax(90px, 1fr)",
    cell: ({ worker }) =>
      worker === null ? <span className="dim">–</span> : <Name text={worker} />,
  },
  {
    id: "reason",
    head: "Reason",
    width: "minmax(80px, 1fr)",
    cell: ({ reason }) => reason ?? <span className="dim">–</span>,
  },
  {
    id: "progress",
    from: 640,
    head: "Progress",
    width: "minmax(90px, 2fr)",
    cell: ({ progress }) =>
      progress === null ? (
        <span className="dim">–</span>
      ) : (
        <bdi dir="auto">
          {percent(progress.percent / 100)} {progress.message ?? ""}
        </bdi>
      ),
  },
];

// What a worker runs and ran: what is under way first, then what ended, newest first.

import { Link, useNavigate } from "@tanstack/react-router";
import type { ListedAttemptView } from "../../../src/client/index.ts";
import { useWorkerAttempts } from "../api/queries.ts";
import { count, duration, shortId } from "../ui/format.ts";
import { Ago, Empty, Loading, Name, Trouble } from "../ui/parts.tsx";
import { State } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import type { Column } from "../ui/table.tsx";

export function WorkerAttempts({ worker }: { readonly worker: string }) {
  const navigate = useNavigate();
  const { data, error } = useWorkerAttempts(worker);
  return (
    <section aria-label="Last attempts">
      <h2>Last attempts</h2>
      {error && !data ? <Trouble error={error} what="The attempts" /> : null}
      {!data && !error ? <Loading what="attempts" /> : null}
      {data?.partial === undefined ? null : <p className="note partial">{data.partial}</p>}
      {data?.items.length === 0 ? <Empty why="It has run nothing yet." /> : null}
      {data && data.items.length > 0 ? (
        <Table
          label="Last attempts"
          columns={columns}
          rows={data.items}
          keyOf={({ job, task, attempt }) => `${job}/${task}/${attempt}`}
          onOpen={({ job, task }) =>
            void navigate({ to: "/jobs/$job/$task", params: { job, task: String(task) } })
          }
          total={data.items.length}
        />
      ) : null}
    </section>
  );
}

const columns: readonly Column<ListedAttemptView>[] = [
  {
    id: "task",
    head: "Task",
    width: "minmax(110px, 1fr)",
    cell: ({ job, task, name }) => (
      <Link to="/jobs/$job/$task" params={{ job, task: String(task) }}>
        <Name text={name} /> <code>{`${shortId(job)}/${task}`}</code>
      </Link>
    ),
  },
  { id: "state", head: "State", width: "110px", cell: ({ state }) => <State state={state} /> },
  {
    id: "attempt",
    from: 640,
    head: "Attempt",
    width: "72px",
    end: true,
    cell: ({ attempt }) => count(attempt),
  },
  {
    id: "message",
    from: 560,
    head: "Why",
    width: "minmax(80px, 2fr)",
    cell: ({ message, reason }) => <Name text={message ?? reason ?? ""} />,
  },
  {
    id: "took",
    from: 640,
    head: "Ran",
    width: "84px",
    end: true,
    cell: ({ runMs }) => (runMs === null ? <span className="dim">–</span> : duration(runMs)),
  },
  {
    id: "started",
    head: "Started",
    width: "96px",
    end: true,
    cell: ({ started }) => <Ago at={started} />,
  },
];

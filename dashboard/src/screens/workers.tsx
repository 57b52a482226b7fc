// All workers: what each offers, what of it is in use, how it is.

import { Link, useNavigate } from "@tanstack/react-router";
import type { WorkerView } from "../../../src/client/index.ts";
import { useWorkers } from "../api/queries.ts";
import { useCli } from "../shell/cli.tsx";
import { amount, count, percent, plural } from "../ui/format.ts";
import { Command, Empty, Loading, Name, Trouble } from "../ui/parts.tsx";
import { State } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import type { Column } from "../ui/table.tsx";
import { HeatMap } from "./heat-map.tsx";
import { Labels } from "./jobs.tsx";

export function Workers() {
  const workers = useWorkers();
  const navigate = useNavigate();
  useCli([
    { does: "This list", command: "skein worker list" },
    { does: "Let one finish and take nothing new", command: "skein worker drain ID" },
    { does: "Add one on this machine", command: "skein worker" },
  ]);
  if (workers.error && !workers.data) return <Trouble error={workers.error} what="The workers" />;
  if (!workers.data) return <Loading what="workers" />;
  const items = workers.data.items.toSorted(
    (a, b) => Number(gone(a)) - Number(gone(b)) || (a.id < b.id ? -1 : 1),
  );
  const here = items.filter((one) => !gone(one));
  return (
    <div className="page full">
      <div className="head-line">
        <h1>Workers</h1>
        <span className="dim">{summary(here)}</span>
      </div>
      {items.length === 0 ? (
        <Empty why="No worker has joined: nothing can run. Start one:">
          <Command text="skein worker" />
        </Empty>
      ) : (
        <>
          <HeatMap
            workers={here.map(({ id, state, used, amounts, running }) => ({
              id,
              state,
              used: used["cpu"] ?? 0,
              total: amounts["cpu"] ?? 0,
              running,
            }))}
          />
          <Table
            label="Workers"
            columns={columns}
            rows={items}
            keyOf={({ id, incarnation }) => `${id} ${incarnation}`}
            onOpen={({ id }) => void navigate({ to: "/workers/$worker", params: { worker: id } })}
            total={workers.data.total}
          />
        </>
      )}
    </div>
  );
}

const gone = ({ state }: WorkerView): boolean => state === "gone" || state === "lost";

function summary(workers: readonly WorkerView[]): string {
  const ill = workers.filter(({ state }) => state !== "active").length;
  const running = workers.reduce((total, one) => total + one.running, 0);
  const words = ill === 0 ? "all active" : `${count(ill)} not active`;
  return `${plural(workers.length, "worker")}, ${words}, ${plural(running, "task")} running`;
}

export function Meter({
  used,
  total,
  name,
}: {
  readonly used: number;
  readonly total: number;
  readonly name: string;
}) {
  const share = total === 0 ? 0 : Math.min(1, used / total);
  const text = `${amount(name, used)} of ${amount(name, total)}`;
  return (
    <span className="meter" role="img" aria-label={`${name}: ${text} in use`} title={text}>
      <span style={{ width: `${share * 100}%` }} />
      <i>{percent(share)}</i>
    </span>
  );
}

const columns: readonly Column<WorkerView>[] = [
  { id: "state", head: "State", width: "104px", cell: ({ state }) => <State state={state} /> },
  {
    id: "id",
    head: "Worker",
    width: "minmax(110px, 1.4fr)",
    cell: ({ id }) => (
      <Link to="/workers/$worker" params={{ worker: id }}>
        <Name text={id} />
      </Link>
    ),
  },
  {
    id: "cpu",
    head: "CPU",
    width: "minmax(90px, 1fr)",
    cell: ({ used, amounts }) => (
      <Meter name="cpu" used={used["cpu"] ?? 0} total={amounts["cpu"] ?? 0} />
    ),
  },
  {
    id: "memory",
    from: 640,
    head: "Memory",
    width: "minmax(90px, 1fr)",
    cell: ({ used, amounts }) =>
      amounts["memory"] === undefined ? (
        <span className="dim">–</span>
      ) : (
        <Meter name="memory" used={used["memory"] ?? 0} total={amounts["memory"]} />
      ),
  },
  {
    id: "running",
    head: "Running",
    width: "70px",
    end: true,
    cell: ({ running }) => count(running),
  },
  {
    id: "ahead",
    from: 1000,
    head: "Sent ahead",
    width: "84px",
    end: true,
    cell: ({ ahead }) => count(ahead),
  },
  {
    id: "host",
    from: 800,
    head: "Host",
    width: "minmax(80px, 1fr)",
    cell: ({ hostname }) => <Name text={hostname} />,
  },
  { id: "pool", from: 900, head: "Pool", width: "80px", cell: ({ pool }) => <Name text={pool} /> },
  {
    id: "labels",
    from: 1040,
    head: "Labels",
    width: "minmax(60px, 1fr)",
    cell: ({ labels }) => <Labels labels={labels} />,
  },
  { id: "version", from: 1100, head: "Version", width: "72px", cell: ({ version }) => version },
];

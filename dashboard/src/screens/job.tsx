// One job: where it stands, and six ways to look at it.

import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { JobView } from "../../../src/client/index.ts";
import { isTerm } from "../../../src/protocol/filter.ts";
import { client } from "../api/client.ts";
import { useLiveJob } from "../api/live.ts";
import { useJob } from "../api/queries.ts";
import { etaOf } from "../api/eta.ts";
import { jobTabs } from "../routes.tsx";
import type { JobTab } from "../routes.tsx";
import { useCli } from "../shell/cli.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { count, duration, percent, plural, rate, shortId } from "../ui/format.ts";
import { Ago, Id, Loading, Name, Trouble } from "../ui/parts.tsx";
import { State, StateBar, StateLegend } from "../ui/states.tsx";
import { Graph } from "./job-graph.tsx";
import { Grid } from "./job-grid.tsx";
import { JobLogs } from "./job-logs.tsx";
import { Stream } from "./job-stream.tsx";
import { Summary } from "./job-summary.tsx";
import { Tasks } from "./job-tasks.tsx";
import { Labels, tookMs } from "./jobs.tsx";

const tabNames: Readonly<Record<JobTab, string>> = {
  summary: "Summary",
  stream: "Task stream",
  grid: "Grid",
  graph: "Graph",
  tasks: "Tasks",
  logs: "Logs",
};

export function Job() {
  const { job: asked } = useParams({ from: "/jobs/$job" });
  const { tab = "summary" } = useSearch({ from: "/jobs/$job" });
  const job = useJob(asked);
  // The address may have the first digits only.
  const id = job.data?.id ?? asked;
  useLiveJob(job.data?.id);
  useCli([
    { does: "This job", command: `skein job get ${id}` },
    { does: "Its tasks", command: `skein task list ${id}` },
    { does: "Its results", command: `skein results ${id}` },
    { does: "A new job of what did not succeed", command: `skein job retry ${id}` },
    { does: "Cancel it", command: `skein job cancel ${id}` },
  ]);
  if (job.error && !job.data) return <Trouble error={job.error} what={`Job ${id}`} />;
  if (!job.data) return <Loading what={`job ${id}`} />;
  const { data } = job;
  return (
    <div className={tab === "tasks" || tab === "logs" ? "page full" : "page"}>
      <JobHead job={data} />
      <Tabs job={data} tab={tab} />
      <div className="tab-panel" role="tabpanel" aria-label={tabNames[tab]}>
        <Panel job={data} tab={tab} />
      </div>
    </div>
  );
}

function Panel({ job, tab }: { readonly job: JobView; readonly tab: JobTab }) {
  switch (tab) {
    case "summary":
      return <Summary job={job} />;
    case "stream":
      return <Stream job={job} />;
    case "grid":
      return <Grid job={job} />;
    case "graph":
      return <Graph job={job} />;
    case "tasks":
      return <Tasks job={job} />;
    case "logs":
      return <JobLogs job={job} />;
  }
}

function Tabs({ job, tab }: { readonly job: JobView; readonly tab: JobTab }) {
  const navigate = useNavigate();
  const go = (next: JobTab | undefined) => {
    if (next === undefined) return;
    void navigate({
      to: "/jobs/$job",
      params: { job: job.id },
      search: next === "summary" ? {} : { tab: next },
      replace: true,
    });
    document.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  return (
    <div
      className="tabs"
      role="tablist"
      aria-label="Views of this job"
      onKeyDown={(event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (by !== undefined)
          go(jobTabs[(jobTabs.indexOf(tab) + by + jobTabs.length) % jobTabs.length]);
      }}
    >
      {jobTabs.map((one) => (
        <button
          key={one}
          id={`tab-${one}`}
          type="button"
          role="tab"
          aria-selected={one === tab}
          tabIndex={one === tab ? 0 : -1}
          onClick={() => go(one)}
        >
          {tabNames[one]}
          {one === "tasks" ? <span className="badge">{count(job.tasks)}</span> : null}
        </button>
      ))}
    </div>
  );
}

function sentence(job: JobView): string {
  const { succeeded, failed, cancelled } = job.counts;
  const done = succeeded + failed + cancelled;
  const took = tookMs(job);
  if (job.ended !== null) {
    const time = took === null ? "without having started" : `after ${duration(took)}`;
    const bad = failed > 0 ? `${plural(failed, "task")} of ${count(job.tasks)} failed, ` : "";
    return `${bad}${job.state} ${time}`;
  }
  const eta = etaOf(job);
  const perSecond = took ? (done / took) * 1_000 : 0;
  const parts = [
    `${percent(job.tasks === 0 ? 0 : done / job.tasks)} done`,
    perSecond > 0 ? rate(perSecond) : "",
    eta === null ? "" : `about ${duration(eta)} left`,
    job.open ? "takes more inputs" : "",
  ];
  return parts.filter((part) => part !== "").join(" · ");
}

function JobHead({ job }: { readonly job: JobView }) {
  return (
    <header className="job-head">
      <p className="crumbs">
        <Link to="/jobs">Jobs</Link> <span aria-hidden="true">/</span> <Id id={job.id} what="job" />
      </p>
      <div className="head-line">
        <h1>
          <Name text={job.task} />
        </h1>
        <State state={job.state} />
        <span className="dim">{sentence(job)}</span>
        <span className="grow" />
        <Actions job={job} />
      </div>
      <StateBar counts={job.counts} thick />
      <StateLegend counts={job.counts} />
      <dl className="facts">
        <Fact name="Queue">
          <Link to="/jobs" search={{ filter: isTerm("queue", job.queue) }}>
            <Name text={job.queue} />
          </Link>
        </Fact>
        <Fact name="Priority">{job.priority}</Fact>
        <Fact name="Submitted">
          <Ago at={job.created} /> by <Name text={job.by} />
        </Fact>
        <Fact name="Started">
          <Ago at={job.started} />
        </Fact>
        <Fact name="CPU time">{duration(job.runMs)}</Fact>
        <Fact name="Attempts">
          {count(job.attempts)}
          {job.attemptsLost > 0 ? `, ${count(job.attemptsLost)} lost` : ""}
        </Fact>
        {Object.keys(job.labels).length > 0 ? (
          <Fact name="Labels">
            <Labels labels={job.labels} />
          </Fact>
        ) : null}
        {job.retryOf === null ? null : (
          <Fact name="Retry of">
            <Link to="/jobs/$job" params={{ job: job.retryOf }}>
              <code>{shortId(job.retryOf)}</code>
            </Link>
          </Fact>
        )}
      </dl>
    </header>
  );
}

export function Fact({
  name,
  children,
}: {
  readonly name: string;
  readonly children: React.ReactNode;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Actions({ job }: { readonly job: JobView }) {
  const [asks, setAsks] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const again = job.counts.failed + job.counts.cancelled;
  const left = job.tasks - again - job.counts.succeeded;
  const attempt = async (what: () => Promise<void>) => {
    setTrouble(undefined);
    await what().catch((error: unknown) =>
      setTrouble(error instanceof Error ? error.message : String(error)),
    );
  };
  const retry = () =>
    attempt(async () => {
      const next = await client.retryJob(job.id);
      await navigate({ to: "/jobs/$job", params: { job: next.id } });
    });
  const cancel = () =>
    attempt(async () => {
      await client.cancelJob(job.id, { reason: "cancelled in the dashboard" });
      setAsks(false);
      await queries.invalidateQueries({ queryKey: ["job", job.id] });
    });
  return (
    <span className="actions">
      {trouble === undefined ? null : (
        <span className="tone-bad" role="alert">
          {trouble}
        </span>
      )}
      {job.ended !== null && again > 0 ? (
        <button type="button" className="primary" onClick={() => void retry()}>
          Retry {plural(again, "task")}
        </button>
      ) : null}
      {job.ended === null ? (
        <button type="button" onClick={() => setAsks(true)}>
          Cancel
        </button>
      ) : null}
      <Dialog title="Cancel this job" open={asks} onClose={() => setAsks(false)}>
        <p>
          {plural(left, "task")} of {count(job.tasks)} have not ended. What runs is stopped, what
          waits never starts.
        </p>
        <footer>
          <button type="button" onClick={() => setAsks(false)}>
            Leave it
          </button>
          <button type="button" className="danger" onClick={() => void cancel()}>
            Cancel {plural(left, "task")}
          </button>
        </footer>
      </Dialog>
    </span>
  );
}

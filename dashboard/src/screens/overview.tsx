// Is it healthy, how busy is it, what fails? The verdict first; then what moves, who works, what wants attention.

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useOverview, useSeries, useStatus } from "../api/queries.ts";
import type { OverviewView, SeriesView } from "../../../src/client/index.ts";
import { useCli } from "../shell/cli.tsx";
import { count, duration, percent, rate, shortId } from "../ui/format.ts";
import { Card, Command, Empty, Loading, Name, Trouble } from "../ui/parts.tsx";
import { Spark } from "../ui/spark.tsx";
import { StateBar } from "../ui/states.tsx";
import { HeatMap } from "./heat-map.tsx";

export function Overview() {
  const overview = useOverview();
  const status = useStatus();
  useCli([
    { does: "The cluster in one screen", command: "skein status" },
    { does: "Jobs that run", command: "skein job list --state running" },
    { does: "Workers", command: "skein worker list" },
  ]);
  if (overview.error && !overview.data)
    return <Trouble error={overview.error} what="The overview" />;
  if (!overview.data) return <Loading what="the overview" />;
  const { data } = overview;
  const jobs = status.data?.jobs;
  const isNew = jobs !== undefined && jobs.unfinished + jobs.finished === 0;
  return (
    <div className="page">
      <h1 className={`sentence level-${data.level}`}>{data.verdict}</h1>
      <p className="dim">{status.data?.survives}</p>
      {isNew ? <FirstSteps /> : null}
      <Sparks view={data} />
      <div className="columns">
        <Card
          title="Running jobs"
          note={
            <Link to="/jobs" search={{ filter: "state:running" }}>
              all
            </Link>
          }
        >
          <Running jobs={data.running} />
        </Card>
        <Card title="Wants attention">
          <AttentionList items={data.attention} />
        </Card>
      </div>
      <Card
        title="Workers"
        note={<Link to="/workers">{count(data.workers.total)} in all</Link>}
        wide
      >
        <HeatMap workers={data.workers.items} />
      </Card>
      {data.failing.length > 0 ? (
        <Card title="Jobs with failures" wide>
          <Failing jobs={data.failing} />
        </Card>
      ) : null}
    </div>
  );
}

function Sparks({ view }: { readonly view: OverviewView }) {
  const [span, setSpan] = useState<"15m" | "24h">("15m");
  const { data } = useSeries(span);
  const series = data ?? nothing;
  const { from, stepMs } = series;
  const { used, total } = view.cpu;
  const queued = view.tasks.waiting;
  const failing = view.rates.failed / Math.max(view.rates.failed + view.rates.succeeded, 1e-9);
  const common = { from, stepMs };
  const wait = queued === 0 ? undefined : `oldest waits ${duration(view.oldestWaitMs)}`;
  return (
    <div className="sparks-frame">
      <div className="spans" role="group" aria-label="Time shown">
        {(["15m", "24h"] as const).map((one) => (
          <button key={one} type="button" aria-pressed={one === span} onClick={() => setSpan(one)}>
            {one === "15m" ? "15 min" : "24 h"}
          </button>
        ))}
      </div>
      <div className="sparks">
        <Spark
          {...common}
          title="Tasks done"
          value={rate(view.rates.succeeded)}
          points={series.succeeded.map((n) => n / (stepMs / 1_000))}
          tone="ok"
          format={rate}
        />
        <Spark
          {...common}
          title="Waiting"
          value={count(queued)}
          {...(wait === undefined ? {} : { note: wait })}
          points={series.waiting}
          tone="idle"
          format={count}
        />
        <Spark
          {...common}
          title="Failing"
          value={percent(failing)}
          note={rate(view.rates.failed)}
          points={failedShare(series)}
          tone="bad"
          format={percent}
          max={0.05}
        />
        <Spark
          {...common}
          title="CPU in use"
          value={total === 0 ? "none" : percent(used / total)}
          note={`${used} of ${total}`}
          points={series.used.map((one, at) => share(one, series.total[at]))}
          tone="run"
          format={percent}
          max={1}
        />
      </div>
    </div>
  );
}

const share = (part: number | null, whole: number | null | undefined): number | null =>
  part === null || !whole ? null : part / whole;
const failedShare = ({ succeeded, failed }: SeriesView): (number | null)[] =>
  failed.map((one, at) => one / Math.max(one + (succeeded[at] ?? 0), 1e-9));
const nothing: SeriesView = {
  stepMs: 10_000,
  from: 0,
  succeeded: [],
  failed: [],
  waiting: [],
  assigned: [],
  used: [],
  total: [],
  oldestWaitMs: [],
};

function Running({ jobs }: { readonly jobs: OverviewView["running"] }) {
  if (jobs.length === 0) {
    return (
      <Empty why="Nothing runs now.">
        <Command text="skein run -- echo hi" />
      </Empty>
    );
  }
  return (
    <ul className="running">
      {jobs.slice(0, 12).map((job) => {
        const { succeeded, failed, cancelled } = job.counts;
        const done = succeeded + failed + cancelled;
        return (
          <li key={job.id}>
            <Link to="/jobs/$job" params={{ job: job.id }}>
              <Name text={job.task} /> <code>{shortId(job.id)}</code>
            </Link>
            <StateBar counts={job.counts} />
            <span className="num">
              {count(done)}/{count(job.tasks)}
            </span>
            <span className="num dim eta">
              {job.etaMs === null ? "" : `${duration(job.etaMs)} left`}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

const levelSigns = { ok: "✓", warn: "!", bad: "✕" } as const;
const levelWords = { ok: "fine", warn: "warning", bad: "trouble" } as const;

function AttentionList({ items }: { readonly items: OverviewView["attention"] }) {
  if (items.length === 0) return <Empty why="Nothing: no worker is silent, no master is away." />;
  return (
    <ul className="attention">
      {items.map((item) => (
        <li key={item.text} className={`level-${item.level}`}>
          <span className="mark" role="img" aria-label={levelWords[item.level]}>
            {levelSigns[item.level]}
          </span>
          {item.link === null ? (
            <p>
              <b>{item.text}</b> <span className="dim">{item.hint}</span>
            </p>
          ) : (
            <Link to={item.link}>
              <b>{item.text}</b>
              <span>{item.hint}</span>
            </Link>
          )}
        </li>
      ))}
    </ul>
  );
}

function Failing({ jobs }: { readonly jobs: OverviewView["failing"] }) {
  return (
    <ul className="groups failing">
      {jobs.map(({ id, task, failed, tasks }) => (
        <li key={id}>
          <b className="num">{count(failed)} ✕</b>
          <span className="dim num">of {count(tasks)}</span>
          <Link to="/jobs/$job" params={{ job: id }}>
            <Name text={task} /> <code>{shortId(id)}</code>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function FirstSteps() {
  const steps = [
    {
      title: "Run something",
      text: "skein run -- sh -c 'echo hi; sleep 2'",
      why: "One task; its output comes to your terminal.",
    },
    {
      title: "Run it many times",
      text: "skein map ./square.ts --input 1..1000",
      why: "A TypeScript function, once for each input.",
    },
    {
      title: "Add a machine",
      text: "skein worker --url http://HOST:7420 --token-file token",
      why: "On the other machine, with this cluster’s token.",
    },
  ];
  return (
    <section className="first" aria-label="First steps">
      {steps.map(({ title, text, why }, at) => (
        <div key={title} className="card">
          <h2>
            <span className="step">{at + 1}</span> {title}
          </h2>
          <p className="dim">{why}</p>
          <Command text={text} />
        </div>
      ))}
    </section>
  );
}

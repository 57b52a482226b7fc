// One task: in one line what became of it, then why, its attempts side by side, and what it printed.

import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import type { TaskDetailView, WhyView } from "../../../src/client/index.ts";
import { useLiveJob } from "../api/live.ts";
import { useJob, useTask, useWhy } from "../api/queries.ts";
import { useCli } from "../shell/cli.tsx";
import { clockTime, count, duration, exactTime, shortId } from "../ui/format.ts";
import { LogView } from "../ui/log-view.tsx";
import { Card, Command, Copy, Empty, Loading, Name, Trouble } from "../ui/parts.tsx";
import { lookOf, State } from "../ui/states.tsx";
import { saysMore, Why } from "./task-why.tsx";

type Attempt = TaskDetailView["attempts"][number];

export function Task() {
  const { job, task: text } = useParams({ from: "/jobs/$job/$task" });
  const number = Number(text);
  const task = useTask(job, number);
  const why = useWhy(job, number);
  useLiveJob(task.data?.job);
  const [chosen, setChosen] = useState<number>();
  const id = `${job}/${text}`;
  useCli([
    { does: "This task", command: `skein task get ${id}` },
    { does: "Why it is where it is", command: `skein why ${id}` },
    { does: "What it printed", command: `skein logs ${id}` },
  ]);
  if (task.error && !task.data) return <Trouble error={task.error} what={`Task ${id}`} />;
  if (!task.data) return <Loading what={`task ${id}`} />;
  const { data } = task;
  const attempt = data.attempts.find((one) => one.attempt === chosen) ?? data.attempts.at(-1);
  const error = data.error ?? attempt?.error;
  return (
    <div className="page">
      <Head job={job} task={data} why={why.data} />
      {error === undefined || error === null ? null : <ErrorCard error={error} task={data} />}
      <Card
        title="Attempts"
        wide
        note={data.attempts.length > 1 ? "choose one to see its output" : undefined}
      >
        <Attempts attempts={data.attempts} chosen={attempt?.attempt} onChoose={setChosen} />
      </Card>
      <div className="columns">
        {saysMore(why.data) ? (
          <Card title="Why">
            <Why why={why.data} />
          </Card>
        ) : null}
        <Card title="Input and result">
          <Values task={data} />
        </Card>
      </div>
      <Card title="Output" wide>
        {attempt ? (
          <LogView
            job={job}
            task={number}
            attempt={attempt.attempt}
            isLive={attempt.state === "running" || attempt.state === "assigned"}
          />
        ) : (
          <Empty why="No attempt has started, so nothing was printed." />
        )}
      </Card>
      <Card title="Do it again here" wide>
        <p className="dim">
          Its input as the task got it, and all there is to know, for a terminal:
        </p>
        <Command text={`skein task get ${id} --json`} />
      </Card>
    </div>
  );
}

function Head(props: {
  readonly job: string;
  readonly task: TaskDetailView;
  readonly why: WhyView | undefined;
}) {
  const { job, task, why } = props;
  const view = useJob(job).data;
  const { progress } = task;
  return (
    <header className="job-head">
      <p className="crumbs">
        <Link to="/jobs">Jobs</Link> <span aria-hidden="true">/</span>{" "}
        <Link to="/jobs/$job" params={{ job }}>
          {view ? <Name text={view.task} /> : null} <code>{shortId(job)}</code>
        </Link>{" "}
        <span aria-hidden="true">/</span>{" "}
        <Copy text={`${job}/${task.task}`} label="Copy the id of this task" />
        <span className="grow" />
        <span className="neighbours">
          {task.task > 0 ? (
            <Link to="/jobs/$job/$task" params={{ job, task: String(task.task - 1) }}>
              ← {count(task.task - 1)}
            </Link>
          ) : null}
          {view && task.task < view.tasks - 1 ? (
            <Link to="/jobs/$job/$task" params={{ job, task: String(task.task + 1) }}>
              {count(task.task + 1)} →
            </Link>
          ) : null}
        </span>
      </p>
      <div className="head-line">
        <h1>Task {count(task.task)}</h1>
        <State state={task.state} />
        {task.worker === null ? null : (
          <span className="dim">
            on{" "}
            <Link to="/workers/$worker" params={{ worker: task.worker }}>
              <Name text={task.worker} />
            </Link>
          </span>
        )}
      </div>
      {why ? <p className="sentence small">{why.verdict}</p> : null}
      {progress === null ? null : (
        <p className="progress">
          <progress max={100} value={progress.percent} aria-label="Progress" />{" "}
          {Math.round(progress.percent)} % <bdi dir="auto">{progress.message ?? ""}</bdi>
        </p>
      )}
    </header>
  );
}

/** Attempts on one line of time, with their length to scale. */
function Attempts(props: {
  readonly attempts: readonly Attempt[];
  readonly chosen: number | undefined;
  readonly onChoose: (attempt: number) => void;
}) {
  const { attempts, chosen, onChoose } = props;
  const starts = attempts.flatMap(({ started }) => (started === null ? [] : [Date.parse(started)]));
  const ends = attempts.map(({ ended }) => (ended === null ? Date.now() : Date.parse(ended)));
  const from = Math.min(...starts, ...ends);
  const long = Math.max(1, Math.max(...ends) - from);
  if (attempts.length === 0) return <Empty why="None yet: see why below." />;
  return (
    <ol className="attempts">
      {attempts.map((one) => {
        const start = one.started === null ? from : Date.parse(one.started);
        const end = one.ended === null ? Date.now() : Date.parse(one.ended);
        const left = ((start - from) / long) * 100;
        const ran = one.runMs ?? end - start;
        return (
          <li key={one.attempt} className={one.attempt === chosen ? "chosen" : ""}>
            <button
              type="button"
              aria-pressed={one.attempt === chosen}
              onClick={() => onChoose(one.attempt)}
            >
              {one.attempt}
            </button>
            <State state={one.state} />
            <span className="where">
              <Name text={one.worker} />
            </span>
            <span className="track" aria-hidden="true">
              <span
                className={`bg-${lookOf(one.state).tone}`}
                style={{
                  left: `${left}%`,
                  width: `${Math.max(0.6, ((end - start) / long) * 100)}%`,
                }}
              />
            </span>
            <span className="num when" title={one.started === null ? "" : exactTime(one.started)}>
              {one.started === null ? "–" : clockTime(one.started)}
            </span>
            <span className="num">{duration(ran)}</span>
            <span className="reason dim">
              {one.reason ?? ""}
              {one.charged || one.reason === null || one.state === "succeeded"
                ? ""
                : ", not counted"}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

interface SaidError {
  readonly name?: string;
  readonly message?: string;
  readonly stack?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly tail?: string;
  readonly cut?: boolean;
}

function ErrorCard({ error, task }: { readonly error: unknown; readonly task: TaskDetailView }) {
  const { name, message, stack, exitCode, signal, tail, cut } = error as SaidError;
  const title = [name, message].filter((part) => part !== undefined && part !== "").join(": ");
  const how =
    signal !== undefined
      ? `ended by ${signal}`
      : exitCode !== undefined
        ? `exit code ${exitCode}`
        : (task.reason ?? "");
  return (
    <section className="card wide error-card" aria-label="Error">
      <header>
        <h2 dir="auto">{title === "" ? how : title}</h2>
        <span className="note">{how}</span>
      </header>
      {stack === undefined ? null : (
        <pre tabIndex={0} aria-label="Stack">
          {stack}
        </pre>
      )}
      {tail === undefined || tail === "" ? null : (
        <>
          <h3>Its last lines</h3>
          <pre tabIndex={0} aria-label="Last lines of output" dir="auto">
            {tail}
          </pre>
        </>
      )}
      {cut ? <p className="note partial">The error was longer than the cluster keeps.</p> : null}
    </section>
  );
}

function Values({ task }: { readonly task: TaskDetailView }) {
  return (
    <>
      <Value name="Input" value={task.input} />
      <Value name="Result" value={task.result} />
    </>
  );
}

function Value({ name, value }: { readonly name: string; readonly value: unknown }) {
  const text = value === undefined ? "" : JSON.stringify(value, null, 2);
  return (
    <>
      <h3>
        {name} {text === "" ? null : <Copy text={text} label={`Copy the ${name.toLowerCase()}`} />}
      </h3>
      {text === "" ? (
        <p className="dim">None.</p>
      ) : (
        <pre tabIndex={0} aria-label={name} dir="auto">
          {text}
        </pre>
      )}
    </>
  );
}

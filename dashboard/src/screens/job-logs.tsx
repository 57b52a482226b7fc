// Output of a job: of all its attempts merged by time, or one task at a time, those that failed first.

import { useState } from "react";
import type { JobView } from "../../../src/client/index.ts";
import { useTask, useTasks } from "../api/queries.ts";
import { count } from "../ui/format.ts";
import { Empty, Loading } from "../ui/parts.tsx";
import { LogView } from "../ui/log-view.tsx";
import { wordOf } from "../ui/states.tsx";
import { MergedLogs } from "./merged-logs.tsx";

export function JobLogs({ job }: { readonly job: JobView }) {
  const [one, setOne] = useState(false);
  return (
    <>
      <div className="chips" role="group" aria-label="Whose output">
        <button type="button" className="chip" aria-pressed={!one} onClick={() => setOne(false)}>
          All tasks, by time
        </button>
        <button type="button" className="chip" aria-pressed={one} onClick={() => setOne(true)}>
          One task
        </button>
      </div>
      {one ? <OneTask job={job} /> : <MergedLogs job={job} />}
    </>
  );
}

function OneTask({ job }: { readonly job: JobView }) {
  const wanted = job.counts.failed > 0 ? "state:failed" : "";
  const tasks = useTasks(job.id, wanted);
  const [task, setTask] = useState<number>();
  const items = tasks.data?.pages[0]?.items ?? [];
  const shown = task ?? items[0]?.task;
  if (!tasks.data) return <Loading what="tasks" />;
  if (shown === undefined) return <Empty why="The job has no tasks yet." />;
  return (
    <>
      <p className="row">
        <label>
          Task{" "}
          <input
            type="number"
            min={0}
            max={Math.max(0, job.tasks - 1)}
            value={shown}
            onChange={(event) =>
              setTask(Math.max(0, Math.min(job.tasks - 1, event.target.valueAsNumber || 0)))
            }
          />
        </label>
        <span className="dim">of {count(job.tasks)}</span>
        {items.slice(0, 8).map((one) => (
          <button
            key={one.task}
            type="button"
            className="chip"
            aria-pressed={one.task === shown}
            onClick={() => setTask(one.task)}
          >
            {count(one.task)} {wordOf(one.state)}
          </button>
        ))}
      </p>
      <TaskLog key={shown} job={job.id} task={shown} />
    </>
  );
}

function TaskLog({ job, task }: { readonly job: string; readonly task: number }) {
  const { data } = useTask(job, task);
  if (!data) return <Loading what={`task ${task}`} />;
  const last = data.attempts.at(-1);
  if (!last) return <Empty why="No attempt of this task has started." />;
  const isLive = last.state === "running" || last.state === "assigned";
  return <LogView job={job} task={task} attempt={last.attempt} isLive={isLive} />;
}

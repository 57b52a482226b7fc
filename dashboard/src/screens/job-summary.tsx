// What became of a job, errors first: groups of failures that are alike, each with one to look at.

import { Link } from "@tanstack/react-router";
import type { ErrorGroupsView, JobView } from "../../../src/client/index.ts";
import { useErrors } from "../api/queries.ts";
import { count, percent, plural } from "../ui/format.ts";
import { Ago, Card, Empty, Loading, Name, Trouble } from "../ui/parts.tsx";
import { Stream } from "./job-stream.tsx";

export function Summary({ job }: { readonly job: JobView }) {
  const { failed, succeeded } = job.counts;
  const errors = useErrors(job.id, failed);
  return (
    <div className="stack">
      <Card
        title="Errors"
        note={
          failed > 0
            ? `${plural(failed, "task")}, ${percent(failed / Math.max(1, failed + succeeded))} of those that ended; below by attempt`
            : undefined
        }
        wide
      >
        {failed === 0 ? <Empty why="No task has failed." /> : null}
        {errors.error && !errors.data ? <Trouble error={errors.error} what="The errors" /> : null}
        {failed > 0 && errors.isPending ? <Loading what="errors" /> : null}
        {errors.data && failed > 0 ? <Groups job={job.id} errors={errors.data} /> : null}
      </Card>
      <Card title="When each attempt ran" wide>
        <Stream job={job} compact />
      </Card>
    </div>
  );
}

function Groups({ job, errors }: { readonly job: string; readonly errors: ErrorGroupsView }) {
  const most = Math.max(...errors.groups.map((group) => group.count), 1);
  return (
    <>
      <ul className="groups">
        {errors.groups.map((group) => (
          <li key={group.fingerprint}>
            <span className="share" aria-hidden="true">
              <span style={{ width: `${(group.count / most) * 100}%` }} />
            </span>
            <b className="num">{count(group.count)} ×</b>
            <span className="reason">{group.reason}</span>
            <code dir="auto">{group.message}</code>
            <span className="sample">
              first{" "}
              <Link to="/jobs/$job/$task" params={{ job, task: String(group.first.task) }}>
                task {group.first.task}
              </Link>{" "}
              on <Name text={group.first.worker === "" ? "no worker" : group.first.worker} />,{" "}
              <Ago at={group.first.at} />
            </span>
          </li>
        ))}
      </ul>
      {errors.partial === null ? null : <p className="note partial">{errors.partial}</p>}
    </>
  );
}

// What is done to the jobs that were chosen: how many is said before, and what became of each after. All that fit the
// filter are the master's to find (bulk-filter.tsx).

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { JobView } from "../../../src/client/index.ts";
import { client } from "../api/client.ts";
import { Dialog } from "../ui/dialog.tsx";
import { count, plural, shortId } from "../ui/format.ts";
import { messageOf } from "../ui/parts.tsx";
import { StateLegend } from "../ui/states.tsx";
import { ConfirmFilter } from "./bulk-filter.tsx";

export type Verb = "retry" | "cancel";
const fits: Readonly<Record<Verb, (job: JobView) => boolean>> = {
  retry: (job) => job.ended !== null && job.counts.failed + job.counts.cancelled > 0,
  cancel: (job) => job.ended === null,
};
const does: Readonly<Record<Verb, (id: string) => Promise<JobView>>> = {
  retry: (id) => client.retryJob(id),
  cancel: (id) => client.cancelJob(id, { reason: "cancelled in the dashboard" }),
};
export const verbNames: Readonly<Record<Verb, string>> = {
  retry: "Retry failed",
  cancel: "Cancel",
};

interface Outcome {
  readonly id: string;
  readonly trouble: string | undefined;
}

/** What was asked for: it stays as it was, whatever the list shows meanwhile. */
interface Request {
  readonly verb: Verb;
  readonly jobs: readonly JobView[];
  readonly left: number;
}

export function BulkBar(props: {
  readonly chosen: readonly JobView[];
  readonly filter: string;
  readonly total: number;
  readonly onClear: () => void;
}) {
  const { chosen, filter, total, onClear } = props;
  const [all, setAll] = useState(false);
  const [request, setRequest] = useState<Request>();
  const [verb, setVerb] = useState<Verb>();
  const clear = () => {
    setAll(false);
    onClear();
  };
  const ask = (verb: Verb) => {
    const jobs = chosen.filter(fits[verb]);
    setRequest({ verb, jobs, left: chosen.length - jobs.length });
  };
  const close = (done: boolean) => {
    setRequest(undefined);
    setVerb(undefined);
    if (done) clear();
  };
  return (
    <>
      {chosen.length === 0 && !all ? null : (
        <div className="bulk" role="region" aria-label="Chosen jobs">
          <b>
            {all
              ? `All ${plural(total, "job")}${filter === "" ? "" : " that fit the filter"} chosen`
              : `${plural(chosen.length, "job")} chosen`}
          </b>
          {!all && total > chosen.length ? (
            <button type="button" className="plain" onClick={() => setAll(true)}>
              Choose all {count(total)} {filter === "" ? "" : "that fit the filter"}
            </button>
          ) : null}
          <span className="grow" />
          {all ? (
            (["retry", "cancel"] as const).map((one) => (
              <button key={one} type="button" onClick={() => setVerb(one)}>
                {verbNames[one]} all
              </button>
            ))
          ) : (
            <>
              <VerbButton verb="retry" jobs={chosen} onAsk={ask} />
              <VerbButton verb="cancel" jobs={chosen} onAsk={ask} />
            </>
          )}
          <button type="button" className="plain" onClick={clear}>
            Clear
          </button>
        </div>
      )}
      {request === undefined ? null : <Confirm {...request} onClose={close} />}
      {verb === undefined ? null : <ConfirmFilter verb={verb} filter={filter} onClose={close} />}
    </>
  );
}

function VerbButton(props: {
  readonly verb: Verb;
  readonly jobs: readonly JobView[];
  readonly onAsk: (verb: Verb) => void;
}) {
  const { verb, jobs, onAsk } = props;
  const n = jobs.filter(fits[verb]).length;
  return (
    <button type="button" disabled={n === 0} onClick={() => onAsk(verb)}>
      {verbNames[verb]} {n > 0 ? `(${count(n)})` : ""}
    </button>
  );
}

function Confirm(props: Request & { readonly onClose: (done: boolean) => void }) {
  const { verb, jobs, left, onClose } = props;
  const [outcomes, setOutcomes] = useState<readonly Outcome[]>();
  const [isBusy, setBusy] = useState(false);
  const queries = useQueryClient();
  const run = async () => {
    setBusy(true);
    setOutcomes(await doAll(verb, jobs));
    setBusy(false);
    await queries.invalidateQueries({ queryKey: ["jobs"] });
  };
  const failed = outcomes?.filter(({ trouble }) => trouble !== undefined) ?? [];
  const question =
    verb === "retry"
      ? `Submit ${plural(jobs.length, "new job")} of the tasks that did not succeed?`
      : `Cancel ${plural(jobs.length, "job")}? What runs is stopped, what waits never starts.`;
  return (
    <Dialog title={verbNames[verb]} open onClose={() => onClose(outcomes !== undefined)}>
      {outcomes ? (
        <p role="status">
          {count(outcomes.length - failed.length)} done, {count(failed.length)} not.
        </p>
      ) : (
        <>
          <p>{question}</p>
          <StateLegend counts={summed(jobs)} />
          {left > 0 ? (
            <p className="dim">{plural(left, "chosen job")} left out: nothing to do there.</p>
          ) : null}
        </>
      )}
      <ul className="outcomes">
        {failed.map(({ id, trouble }) => (
          <li key={id}>
            <code>{shortId(id)}</code> {trouble}
          </li>
        ))}
      </ul>
      <footer>
        <button type="button" onClick={() => onClose(outcomes !== undefined)}>
          {outcomes ? "Close" : "Leave it"}
        </button>
        {outcomes ? null : (
          <button
            type="button"
            className={verb === "cancel" ? "danger" : "primary"}
            disabled={isBusy}
            onClick={() => void run()}
          >
            {isBusy ? "Working …" : `${verbNames[verb]} ${plural(jobs.length, "job")}`}
          </button>
        )}
      </footer>
    </Dialog>
  );
}

/** A few at a time, each with its own outcome. */
async function doAll(verb: Verb, jobs: readonly JobView[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = jobs.map(({ id }) => id);
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      const trouble = await does[verb](id).then(() => undefined, messageOf);
      outcomes.push({ id, trouble });
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  return outcomes;
}

function summed(jobs: readonly JobView[]): JobView["counts"] {
  const all = {
    waiting: 0,
    ready: 0,
    backoff: 0,
    assigned: 0,
    succeeded: 0,
    failed: 0,
    cancelled: 0,
  };
  for (const { counts } of jobs) {
    for (const key of Object.keys(all) as (keyof typeof all)[]) all[key] += counts[key];
  }
  return all;
}

// What is done to all jobs that fit a filter, by the master: it says how many those are, and changes them only if they
// still are as many when it is told to.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { SkeinError } from "../../../src/client/index.ts";
import type { BulkView } from "../../../src/client/index.ts";
import { client } from "../api/client.ts";
import { Dialog } from "../ui/dialog.tsx";
import { count, plural, shortId } from "../ui/format.ts";
import { messageOf } from "../ui/parts.tsx";
import { verbNames } from "./bulk.tsx";
import type { Verb } from "./bulk.tsx";

interface Bulk {
  readonly filter: string;
  readonly expectedCount?: number;
  readonly dryRun?: boolean;
}
const does: Readonly<Record<Verb, (bulk: Bulk) => Promise<BulkView>>> = {
  retry: (bulk) => client.retryJobs(bulk),
  cancel: (bulk) => client.cancelJobs({ ...bulk, reason: "cancelled in the dashboard" }),
};
/** An empty filter is refused: it might have been forgotten. Here it was looked at. */
const everything: Readonly<Record<Verb, string>> = {
  retry: "state:failed,cancelled",
  cancel: "state:unfinished",
};

export function ConfirmFilter(props: {
  readonly verb: Verb;
  readonly filter: string;
  readonly onClose: (done: boolean) => void;
}) {
  const { verb, onClose } = props;
  const filter = props.filter.trim() === "" ? everything[verb] : props.filter;
  const bulk = useBulk(verb, filter);
  const { matched, outcome, trouble, differed } = bulk;
  const jobs = plural(matched ?? 0, "job");
  return (
    <Dialog title={verbNames[verb]} open onClose={() => onClose(outcome !== undefined)}>
      {outcome ? (
        <Outcome outcome={outcome} />
      ) : (
        <>
          {differed === undefined ? null : <p role="alert">{differed}</p>}
          <p role="status">
            {matched === undefined
              ? "Counting …"
              : verb === "retry"
                ? `Submit ${plural(matched, "new job")} of the tasks that did not succeed?`
                : `Cancel ${jobs}? What runs is stopped, what waits never starts.`}
          </p>
          <p className="dim">
            All that fit <code>{filter}</code>
          </p>
        </>
      )}
      {trouble === undefined ? null : (
        <p className="trouble" role="alert">
          {trouble}
        </p>
      )}
      <footer>
        <button type="button" onClick={() => onClose(outcome !== undefined)}>
          {outcome ? "Close" : "Leave it"}
        </button>
        {outcome ? null : (
          <button
            type="button"
            className={verb === "cancel" ? "danger" : "primary"}
            disabled={bulk.isBusy || matched === undefined || matched === 0}
            onClick={() => void bulk.run()}
          >
            {bulk.isBusy ? "Working …" : `${verbNames[verb]} ${jobs}`}
          </button>
        )}
      </footer>
    </Dialog>
  );
}

function Outcome({ outcome }: { readonly outcome: BulkView }) {
  const failed = outcome.items.filter(({ ok }) => !ok);
  return (
    <>
      <p role="status">
        {count(outcome.done)} done, {count(failed.length)} not.
      </p>
      <ul className="outcomes">
        {failed.map(({ id, message }) => (
          <li key={id}>
            <code>{shortId(id)}</code> {message}
          </li>
        ))}
      </ul>
    </>
  );
}

function useBulk(verb: Verb, filter: string) {
  const [outcome, setOutcome] = useState<BulkView>();
  const [refused, setRefused] = useState<string>();
  const [differed, setDiffered] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const queries = useQueryClient();
  const asked = useQuery({
    queryKey: ["bulk", verb, filter],
    queryFn: () => does[verb]({ filter, dryRun: true }),
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  const matched = asked.data?.matched;
  const run = async () => {
    if (matched === undefined) return;
    setBusy(true);
    setRefused(undefined);
    try {
      setOutcome(await does[verb]({ filter, expectedCount: matched }));
      await queries.invalidateQueries({ queryKey: ["jobs"] });
    } catch (error) {
      const differs = error instanceof SkeinError && error.code === "count_differs";
      if (differs) {
        setDiffered(error.message);
        await asked.refetch();
      } else setRefused(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  const trouble = refused ?? (asked.error ? messageOf(asked.error) : undefined);
  return { matched, outcome, trouble, differed, isBusy, run };
}

// Lines of all attempts of a job, merged by time; the master looks for what is wanted of them.

import { useMemo, useState } from "react";
import type { JobView, LogLineView } from "../../../src/client/index.ts";
import { isRefused } from "../api/lists.ts";
import { useJobLogs } from "../api/queries.ts";
import { runsOf } from "../ui/ansi.ts";
import { plural } from "../ui/format.ts";
import { Lines, shortened } from "../ui/log-view.tsx";
import type { Line } from "../ui/log-view.tsx";
import { Loading, Refused, Trouble } from "../ui/parts.tsx";

export function MergedLogs({ job }: { readonly job: JobView }) {
  const [grep, setGrep] = useState("");
  const logs = useJobLogs(job.id, grep, job.ended === null);
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = logs;
  const pages = data?.pages;
  const lines = useMemo(() => linesOf(pages?.flatMap(({ items }) => items) ?? []), [pages]);
  const missing = new Set(pages?.flatMap(({ partial }) => partial ?? []));
  const empty = grep === "" ? "Nothing printed so far." : `No line has “${grep}” in it so far.`;
  return (
    <section className="log" aria-label="Output of all tasks">
      <header>
        <Find onFind={setGrep} />
        <span className="dim num">
          {plural(lines.length, "line")}
          {hasNextPage ? ", and perhaps more" : ""}
        </span>
        <span className="grow" />
        <code className="dim">skein logs {job.id.slice(0, 8)}</code>
      </header>
      {[...missing].map((text) => (
        <p key={text} className="note partial" role="note">
          {text}
        </p>
      ))}
      {isRefused(error) ? <Refused error={error} /> : null}
      {error && !data && !isRefused(error) ? <Trouble error={error} what="The output" /> : null}
      {data ? <Lines lines={lines} empty={empty} /> : error ? null : <Loading what="output" />}
      {hasNextPage ? (
        <button type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {isFetchingNextPage ? "Looking …" : "Look further"}
        </button>
      ) : null}
    </section>
  );
}

function Find({ onFind }: { readonly onFind: (text: string) => void }) {
  const [draft, setDraft] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onFind(draft);
      }}
    >
      <input
        type="search"
        aria-label="Find in the output of all tasks"
        placeholder="Find, and Enter"
        maxLength={1_000}
        value={draft}
        onChange={(event) => {
          setDraft(event.target.value);
          if (event.target.value === "") onFind("");
        }}
      />
    </form>
  );
}

/** A colour goes on in the lines that the same attempt prints after it. */
function linesOf(items: readonly LogLineView[]): Line[] {
  const styles = new Map<string, string>();
  return items.map(({ task, attempt, stream, text }) => {
    const key = `${task} ${attempt} ${stream}`;
    const style = styles.get(key) ?? "";
    styles.set(key, runsOf(text, style).style);
    const from = attempt > 1 ? `${task} (${attempt})` : String(task);
    return { stream, text: shortened(text), style, from };
  });
}

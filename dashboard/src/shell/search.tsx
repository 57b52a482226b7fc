// Search: an id jumps at once; a word finds screens, jobs, workers and queues.

import { useRouter } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { isTerm } from "../../../src/protocol/filter.ts";
import { client } from "../api/client.ts";
import { useQueues, useWorkers } from "../api/queries.ts";
import { Dialog } from "../ui/dialog.tsx";
import { shortId } from "../ui/format.ts";

interface Hit {
  readonly to: string;
  readonly kind: string;
  readonly text: string;
}

const idPattern = /^([0-9a-f]{4,16})(?:\/(\d{1,9}))?$/;
const screens: readonly Hit[] = [
  { to: "/", kind: "screen", text: "Overview" },
  ...["Jobs", "Workers", "Queues", "Masters", "Events"].map((text) => ({
    to: `/${text.toLowerCase()}`,
    kind: "screen",
    text,
  })),
];

export function SearchDialog(props: { readonly open: boolean; readonly onClose: () => void }) {
  return (
    <Dialog title="Search" {...props}>
      <Search onClose={props.onClose} />
    </Dialog>
  );
}

function Search({ onClose }: { readonly onClose: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const router = useRouter();
  const hits = useHits(text.trim()).slice(0, 12);
  const go = (hit: Hit | undefined) => {
    if (!hit) return;
    onClose();
    router.history.push(hit.to);
  };
  return (
    <div
      className="search"
      onKeyDown={(event) => {
        const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (event.key === "Enter") go(hits[at]);
        if (by === undefined) return;
        event.preventDefault();
        setAt((at + by + hits.length) % Math.max(1, hits.length));
      }}
    >
      <input
        autoFocus
        type="search"
        role="combobox"
        aria-label="Id of a job or task, or a name"
        aria-expanded="true"
        aria-controls="hits"
        aria-activedescendant={hits[at] ? `hit-${at}` : undefined}
        placeholder="4f2a91c0, 4f2a91c0/17, a task, a worker …"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
      />
      <ul id="hits" role="listbox" aria-label="Found">
        {hits.map((hit, index) => (
          <li
            key={`${hit.kind} ${hit.to}`}
            id={`hit-${index}`}
            role="option"
            aria-selected={index === at}
            onMouseDown={() => go(hit)}
          >
            <bdi dir="auto">{hit.text}</bdi> <span className="dim">{hit.kind}</span>
          </li>
        ))}
      </ul>
      {hits.length === 0 ? (
        <p className="dim">Nothing has this name. An id has 4 hex digits at least.</p>
      ) : null}
    </div>
  );
}

function useHits(text: string): Hit[] {
  const workers = useWorkers().data?.items ?? [];
  const queues = useQueues().data?.items ?? [];
  const jobs = useQuery({
    queryKey: ["jobs to search"],
    queryFn: ({ signal }) => client.jobs({ limit: 200 }, { signal }),
    staleTime: 10_000,
  });
  const id = idPattern.exec(text);
  const task = id?.[2];
  const jump: Hit[] = id
    ? [
        task === undefined
          ? { to: `/jobs/${id[1]}`, kind: "job of this id", text }
          : { to: `/jobs/${id[1]}/${task}`, kind: "task of this id", text },
      ]
    : [];
  const all: Hit[] = [
    ...screens,
    ...(jobs.data?.items ?? []).map((job) => ({
      to: `/jobs/${job.id}`,
      kind: `job, ${job.state}`,
      text: `${job.task} ${shortId(job.id)}`,
    })),
    ...workers.map((one) => ({
      to: `/workers/${one.id}`,
      kind: `worker, ${one.state}`,
      text: one.id,
    })),
    ...queues.map((one) => ({
      to: `/jobs?filter=${encodeURIComponent(isTerm("queue", one.name))}`,
      kind: "queue",
      text: one.name,
    })),
  ];
  const wanted = text.toLowerCase();
  return [...jump, ...all.filter((hit) => hit.text.toLowerCase().includes(wanted))];
}

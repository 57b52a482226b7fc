// What an attempt prints, as it comes. The end is followed while it is in sight; whoever scrolls up stays there.

import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { client } from "../api/client.ts";
import { runsOf } from "./ansi.ts";
import { bytes, count, plural } from "./format.ts";

export interface Line {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly style: string;
  /** Who printed it, where that is not clear; else its number stands before it. */
  readonly from?: string;
  /** It was not printed: it says what is not here. */
  readonly missing?: boolean;
}

/** What a page keeps of one log: the rest is a command away. */
const linesMax = 100_000;
const lineMax = 20_000;
const flushMs = 150;

interface LogState {
  readonly lines: readonly Line[];
  readonly cut: number;
  /** What the log had, or may have had, and nobody has any more. */
  readonly missing: readonly string[];
  readonly size: number;
  readonly done: boolean;
  readonly trouble: string | undefined;
}
const none: LogState = { lines: [], cut: 0, missing: [], size: 0, done: false, trouble: undefined };

export function LogView(props: {
  readonly job: string;
  readonly task: number;
  readonly attempt: number;
  readonly isLive: boolean;
}) {
  const { job, task, attempt, isLive } = props;
  const log = useLog(job, task, attempt, isLive);
  const [find, setFind] = useState("");
  const shown = useMemo(() => {
    if (find === "") return log.lines;
    const wanted = find.toLowerCase();
    return log.lines.filter(({ text }) => text.toLowerCase().includes(wanted));
  }, [log.lines, find]);
  const found =
    find === ""
      ? plural(log.lines.length, "line")
      : `${count(shown.length)} of ${plural(log.lines.length, "line")}`;
  return (
    <section className="log" aria-label={`Output of task ${task}, attempt ${attempt}`}>
      <header>
        <input
          type="search"
          aria-label="Find in the output"
          placeholder="Find"
          value={find}
          onChange={(event) => setFind(event.target.value)}
        />
        <span className="dim num">
          {found}, {bytes(log.size)}
          {log.done ? "" : ", live"}
        </span>
        <span className="grow" />
        <code className="dim">
          skein logs {job.slice(0, 8)}/{task}
        </code>
      </header>
      {log.cut > 0 ? (
        <p className="note partial">
          {plural(log.cut, "earlier line")} left out of this page; the command above has all of
          them.
        </p>
      ) : null}
      {log.missing.map((text) => (
        <p key={text} className="note partial" role="note">
          {text}
        </p>
      ))}
      {log.trouble === undefined ? null : (
        <p className="trouble" role="alert">
          {log.trouble}
        </p>
      )}
      <Lines lines={shown} empty={log.done ? "It printed nothing." : "Nothing printed so far."} />
    </section>
  );
}

/** Of output; the end stays in sight until somebody scrolls up. */
export function Lines({
  lines,
  empty,
}: {
  readonly lines: readonly Line[];
  readonly empty: string;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 18,
    overscan: 30,
  });
  useEffect(() => {
    if (follows.current && lines.length > 0) virtual.scrollToIndex(lines.length - 1);
  }, [lines.length, virtual]);
  return (
    <div
      ref={scroller}
      className="lines"
      tabIndex={0}
      role="log"
      aria-live="off"
      aria-label="Output"
      onScroll={({ currentTarget: at }) => {
        follows.current = at.scrollTop + at.clientHeight >= at.scrollHeight - 24;
      }}
    >
      {lines.length === 0 ? <p className="dim">{empty}</p> : null}
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const line = lines[index];
          return line ? (
            <div
              key={index}
              className={line.missing ? "line missing" : `line ${line.stream}`}
              style={{ transform: `translateY(${start}px)` }}
            >
              {line.from === undefined ? (
                <span className="n" aria-hidden="true">
                  {index + 1}
                </span>
              ) : (
                <span className="n of">{line.from}</span>
              )}
              <span dir="auto" className="text">
                {runsOf(line.text, line.style).runs.map((run, at) => (
                  <span key={at} className={run.style}>
                    {run.text}
                  </span>
                ))}
              </span>
            </div>
          ) : null;
        })}
      </div>
    </div>
  );
}

function useLog(job: string, task: number, attempt: number, isLive: boolean): LogState {
  const [state, setState] = useState(none);
  useEffect(() => {
    const stop = new AbortController();
    const gathered = new Gathered();
    setState(none);
    const timer = setInterval(() => {
      if (gathered.isNew) setState(gathered.take());
    }, flushMs);
    const read = async () => {
      const options = { attempt, follow: isLive, signal: stop.signal };
      for await (const record of client.logs(job, task, options)) {
        if (record.missing) gathered.miss(record.stream, new TextDecoder().decode(record.bytes));
        else gathered.add(record.stream, record.bytes);
      }
    };
    read()
      .then(
        () => gathered.end(undefined),
        (error: unknown) => gathered.end(error instanceof Error ? error.message : String(error)),
      )
      .finally(() => {
        clearInterval(timer);
        if (!stop.signal.aborted) setState(gathered.take());
      });
    return () => {
      clearInterval(timer);
      stop.abort();
    };
  }, [job, task, attempt, isLive]);
  return state;
}

export const shortened = (line: string): string =>
  line.length > lineMax ? `${line.slice(0, lineMax)} … (${count(line.length)} characters)` : line;

/** Pieces of output become lines; of each stream the last one may be unfinished. */
class Gathered {
  isNew = false;
  #lines: Line[] = [];
  #cut = 0;
  #size = 0;
  readonly #missing = new Set<string>();
  #done = false;
  #trouble: string | undefined;
  readonly #rest = { stdout: "", stderr: "" };
  readonly #style = { stdout: "", stderr: "" };
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

  add(stream: "stdout" | "stderr", piece: Uint8Array): void {
    this.isNew = true;
    this.#size += piece.length;
    const text = this.#rest[stream] + this.#decoders[stream].decode(piece, { stream: true });
    const lines = text.split("\n");
    this.#rest[stream] = lines.pop() ?? "";
    for (const line of lines) this.#push(stream, line);
    const over = this.#lines.length - linesMax;
    if (over > 0) {
      this.#lines = this.#lines.slice(over);
      this.#cut += over;
    }
  }

  miss(stream: "stdout" | "stderr", sentence: string): void {
    this.isNew = true;
    const text = sentence.trim();
    this.#missing.add(text);
    this.#lines.push({ stream, text: `⚠ ${text}`, style: "", missing: true });
  }

  end(trouble: string | undefined): void {
    for (const stream of ["stdout", "stderr"] as const) {
      if (this.#rest[stream] !== "") this.#push(stream, this.#rest[stream]);
      this.#rest[stream] = "";
    }
    this.#done = true;
    this.#trouble = trouble;
  }

  take(): LogState {
    this.isNew = false;
    return {
      lines: [...this.#lines],
      cut: this.#cut,
      missing: [...this.#missing],
      size: this.#size,
      done: this.#done,
      trouble: this.#trouble,
    };
  }

  #push(stream: "stdout" | "stderr", line: string): void {
    const text = shortened(line);
    const style = this.#style[stream];
    this.#lines.push({ stream, text, style });
    this.#style[stream] = runsOf(line, style).style;
  }
}

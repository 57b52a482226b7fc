// The task stream: a row for each slot of a worker, a bar for each attempt, gaps where nothing ran. Drawn on canvas; the
// tab "Tasks" says the same as a table.

import { useNavigate } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import type { KeyboardEvent, PointerEvent } from "react";
import type { JobView, StreamView } from "../../../src/client/index.ts";
import { useTaskStream } from "../api/queries.ts";
import { useCanvas, useWidth } from "../ui/canvas.ts";
import type { Canvas } from "../ui/canvas.ts";
import { duration, plural } from "../ui/format.ts";
import { Empty, Loading, Trouble } from "../ui/parts.tsx";
import { lookOf, wordOf } from "../ui/states.tsx";
import { axisPx, barAt, drawStream, namesPx, ordered, stateName } from "./stream-drawing.ts";
import type { Range, Scale } from "./stream-drawing.ts";

export function Stream({ job, compact }: { readonly job: JobView; readonly compact?: boolean }) {
  const stream = useTaskStream(job.id, job.ended === null);
  if (stream.error && !stream.data) return <Trouble error={stream.error} what="The task stream" />;
  if (!stream.data) return <Loading what="the task stream" />;
  if (stream.data.total === 0) {
    return <Empty why="No attempt has started yet. A task’s page says why it waits." />;
  }
  return <Picture stream={stream.data} job={job.id} isCompact={compact ?? false} />;
}

interface PictureProps {
  readonly stream: StreamView;
  readonly job: string;
  readonly isCompact: boolean;
}

/** What of the stream is shown, and what the pointer does to that. */
function useView({ stream, job, isCompact }: PictureProps, width: number) {
  const [zoom, setZoom] = useState<Range>();
  const [brush, setBrush] = useState<Range>();
  const [pointed, setPointed] = useState<number>();
  const navigate = useNavigate();
  const whole: Range = { from: 0, to: Math.max(1, stream.to - stream.from) };
  const { from, to } = zoom ?? whole;
  const rowPx = rowHeight(stream.lanes.length, isCompact);
  const left = width < 500 ? 64 : namesPx;
  const scale: Scale = useMemo(
    () => ({ range: { from, to }, left, width: Math.max(1, width - left - 1), rowPx }),
    [from, to, left, width, rowPx],
  );
  const msPerPx = (to - from) / scale.width;
  const timeAt = (event: PointerEvent<HTMLCanvasElement>): number => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left - left;
    return from + Math.max(0, x) * msPerPx;
  };
  const barUnder = (event: PointerEvent<HTMLCanvasElement>): number | undefined => {
    const y = event.clientY - event.currentTarget.getBoundingClientRect().top;
    return barAt(stream, Math.floor(y / rowPx), timeAt(event), msPerPx);
  };
  const handlers = {
    onPointerDown: (event: PointerEvent<HTMLCanvasElement>) => {
      event.currentTarget.setPointerCapture(event.pointerId);
      setBrush({ from: timeAt(event), to: timeAt(event) });
    },
    onPointerMove: (event: PointerEvent<HTMLCanvasElement>) => {
      setPointed(barUnder(event));
      if (brush) setBrush({ ...brush, to: timeAt(event) });
    },
    onPointerUp: (event: PointerEvent<HTMLCanvasElement>) => {
      const drawn = brush && ordered(brush);
      setBrush(undefined);
      if (drawn && drawn.to - drawn.from > msPerPx * 6) return setZoom(drawn);
      const bar = barUnder(event);
      if (bar === undefined || !stream.bars) return;
      const task = String(stream.bars.task[bar]);
      void navigate({ to: "/jobs/$job/$task", params: { job, task } });
    },
    onPointerCancel: () => setBrush(undefined),
    onPointerLeave: () => setPointed(undefined),
    onKeyDown: (event: KeyboardEvent) => {
      const next = zoomedBy(event.key, { from, to }, whole);
      if (next === undefined) return;
      event.preventDefault();
      setZoom(next === "whole" ? undefined : next);
    },
  };
  return { scale, brush, pointed, zoom, showAll: () => setZoom(undefined), handlers };
}

function Picture(props: PictureProps) {
  const { stream } = props;
  const { ref, width } = useWidth();
  const { scale, brush, pointed, zoom, showAll, handlers } = useView(props, width);
  const height = stream.lanes.length * scale.rowPx + axisPx;
  const draw = useCallback(
    (canvas: Canvas) => drawStream(canvas, stream, scale, brush),
    [stream, scale, brush],
  );
  const canvas = useCanvas(width, height, draw);
  return (
    <figure className="stream">
      <figcaption>
        <span>
          {summary(stream)}: {stream.verdict}
        </span>
        <span className="grow" />
        {zoom ? (
          <button type="button" onClick={showAll}>
            Show all
          </button>
        ) : (
          <span className="dim hint">drag to zoom, click a bar for its task</span>
        )}
      </figcaption>
      <div ref={ref} className="canvas-frame">
        <canvas
          ref={canvas}
          style={{ width, height }}
          role="img"
          tabIndex={0}
          aria-label={`Task stream: ${summary(stream)}. Plus and minus zoom, arrows move, 0 shows all.`}
          {...handlers}
        />
      </div>
      <p className="note">{pointed === undefined ? "\u00a0" : barText(stream, pointed)}</p>
      <Legend stream={stream} />
    </figure>
  );
}

const rowHeight = (lanes: number, isCompact: boolean): number =>
  Math.max(
    3,
    Math.min(isCompact ? 14 : 20, Math.floor((isCompact ? 220 : 480) / Math.max(1, lanes))),
  );

function zoomedBy(key: string, { from, to }: Range, whole: Range): Range | "whole" | undefined {
  const size = to - from;
  const middle = (from + to) / 2;
  const step = size / 5;
  const clamp = (at: number, long: number): Range => {
    const start = Math.max(whole.from, Math.min(at, whole.to - long));
    return { from: start, to: Math.min(whole.to, start + long) };
  };
  if (key === "+" || key === "=") return clamp(middle - size / 4, size / 2);
  if (key === "-")
    return size * 2 >= whole.to - whole.from ? "whole" : clamp(middle - size, size * 2);
  if (key === "ArrowRight") return clamp(from + step, size);
  if (key === "ArrowLeft") return clamp(from - step, size);
  return key === "0" ? "whole" : undefined;
}

function barText({ bars, lanes }: StreamView, at: number): string {
  if (!bars) return "";
  const lane = lanes[bars.lane[at] ?? 0];
  const took = (bars.end[at] ?? 0) - (bars.start[at] ?? 0);
  const state = wordOf(stateName(bars.state[at] ?? 0));
  const nth = (bars.attempt[at] ?? 1) > 1 ? `, attempt ${bars.attempt[at]}` : "";
  const start = duration(bars.start[at] ?? 0);
  return `task ${bars.task[at]}${nth} · ${state} · ${duration(took)}, from ${start} · ${lane?.worker} slot ${(lane?.slot ?? 0) + 1}`;
}

function summary({ total, lanes, from, to }: StreamView): string {
  const workers = new Set(lanes.map(({ worker }) => worker)).size;
  return `${plural(total, "attempt")} on ${plural(workers, "worker")} in ${duration(to - from)}`;
}

function Legend({ stream }: { readonly stream: StreamView }) {
  const states = [...new Set((stream.bars ?? stream.cells)?.state.map(stateName))];
  return (
    <ul className="legend">
      {states.map((state) => (
        <li key={state}>
          <span className={`swatch bg-${lookOf(state).tone}`} aria-hidden="true" /> {wordOf(state)}
        </li>
      ))}
      <li>
        <span className="swatch gap" aria-hidden="true" /> nothing ran
      </li>
    </ul>
  );
}

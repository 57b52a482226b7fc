// A small line over time: SVG, with the value under the pointer in words.

import { useId, useState } from "react";
import type { PointerEvent } from "react";
import { clockTime } from "./format.ts";

export interface SparkProps {
  readonly title: string;
  /** The present value, large. */
  readonly value: string;
  readonly note?: string;
  readonly from: number;
  readonly stepMs: number;
  readonly points: readonly (number | null)[];
  readonly tone: "run" | "idle" | "bad" | "ok";
  readonly format: (value: number) => string;
  /** Where the scale ends, if that is known. */
  readonly max?: number;
}

const height = 44;
const width = 240;

export function Spark(props: SparkProps) {
  const { title, value, note, points, tone, format, from, stepMs } = props;
  const [at, setAt] = useState<number | undefined>();
  const id = useId();
  const numbers = points.filter((one) => one !== null);
  const top = Math.max(props.max ?? 0, ...numbers, 1e-9);
  const x = (index: number) => (points.length < 2 ? 0 : (index / (points.length - 1)) * width);
  const y = (one: number) => height - 2 - (one / top) * (height - 6);
  const line = pathOf(points, x, y);
  const pointed = at === undefined ? undefined : points[at];
  const move = (event: PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    setAt(Math.max(0, Math.min(points.length - 1, Math.round(share * (points.length - 1)))));
  };
  const peak =
    numbers.length === 0 ? "nothing measured yet" : `at most ${format(Math.max(...numbers))}`;
  return (
    <section className={`spark tone-${tone}`} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <p className="value">{value}</p>
      <p className="note">
        {at !== undefined && pointed !== undefined && pointed !== null
          ? `${format(pointed)} at ${clockTime(from + at * stepMs)}`
          : (note ?? peak)}
      </p>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${value}, ${peak}`}
        onPointerMove={move}
        onPointerLeave={() => setAt(undefined)}
      >
        <line className="base" x1="0" x2={width} y1={height - 1} y2={height - 1} />
        {line === "" ? null : <path className="area" d={areaOf(points, x, y)} />}
        {line === "" ? null : <path className="line" d={line} />}
        {at === undefined ? null : (
          <line className="cursor" x1={x(at)} x2={x(at)} y1="0" y2={height} />
        )}
      </svg>
    </section>
  );
}

type Scale = (value: number) => number;

/** Runs of numbers; where one is missing the line is, too. */
function runsOf(points: readonly (number | null)[]): { at: number; value: number }[][] {
  const runs: { at: number; value: number }[][] = [[]];
  for (const [at, value] of points.entries()) {
    if (value === null) runs.push([]);
    else runs.at(-1)?.push({ at, value });
  }
  return runs.filter((run) => run.length > 1);
}

function pathOf(points: readonly (number | null)[], x: Scale, y: Scale): string {
  return runsOf(points)
    .map(
      (run) =>
        `M${run.map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join("L")}`,
    )
    .join("");
}

function areaOf(points: readonly (number | null)[], x: Scale, y: Scale): string {
  return runsOf(points)
    .map((run) => {
      const [first, last] = [run[0]?.at ?? 0, run.at(-1)?.at ?? 0];
      const top = run
        .map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`)
        .join("L");
      return `M${x(first).toFixed(1)},${height}L${top}L${x(last).toFixed(1)},${height}Z`;
    })
    .join("");
}

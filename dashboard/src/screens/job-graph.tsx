// Which jobs wait for which: columns from left to right, an arrow for each dependency.

import { Link } from "@tanstack/react-router";
import type { JobGraphView, JobView } from "../../../src/client/index.ts";
import { useGraph } from "../api/queries.ts";
import { count, percent, shortId } from "../ui/format.ts";
import { Empty, Loading, Trouble } from "../ui/parts.tsx";
import { State } from "../ui/states.tsx";

const [boxWidth, boxHeight, gapX, gapY] = [190, 62, 70, 16];

export function Graph({ job }: { readonly job: JobView }) {
  const graph = useGraph(job.id);
  if (graph.error && !graph.data) return <Trouble error={graph.error} what="The graph" />;
  if (!graph.data) return <Loading what="the graph" />;
  const { data } = graph;
  return (
    <>
      {data.nodes.length < 2 ? (
        <Empty why="This job waits for no other, and none is known to wait for it." />
      ) : null}
      {data.nodes.length < 2 ? null : <Drawing graph={data} here={job.id} />}
      {data.partial === null ? null : <p className="note partial">{data.partial}</p>}
    </>
  );
}

interface Placed {
  readonly x: number;
  readonly y: number;
}

function Drawing({ graph, here }: { readonly graph: JobGraphView; readonly here: string }) {
  const places = placed(graph);
  const width = Math.max(...[...places.values()].map(({ x }) => x)) + boxWidth + 2;
  const height = Math.max(...[...places.values()].map(({ y }) => y)) + boxHeight + 2;
  return (
    <div className="graph" tabIndex={0} role="region" aria-label="Jobs that depend on each other">
      <div style={{ width, height, position: "relative" }}>
        <svg width={width} height={height} aria-hidden="true">
          {graph.edges.map(({ from, to, mode }) => {
            const [a, b] = [places.get(from), places.get(to)];
            if (!a || !b) return null;
            const [x1, y1, x2, y2] = [
              a.x + boxWidth,
              a.y + boxHeight / 2,
              b.x,
              b.y + boxHeight / 2,
            ];
            const bend = Math.max(30, (x2 - x1) / 2);
            const d = `M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2 - 2},${y2}`;
            return <path key={`${from} ${to}`} d={d} className={mode === "each" ? "each" : ""} />;
          })}
        </svg>
        <ul>
          {graph.nodes.map(({ job, task, state, tasks, ended }) => (
            <li
              key={job}
              className={job === here ? "here" : ""}
              style={{
                left: places.get(job)?.x,
                top: places.get(job)?.y,
                width: boxWidth,
                height: boxHeight,
              }}
            >
              <Link
                to="/jobs/$job"
                params={{ job }}
                aria-current={job === here ? "true" : undefined}
              >
                <bdi dir="auto">{task}</bdi> <code>{shortId(job)}</code>
              </Link>
              <span className="line">
                <State state={state} />
                <span className="num dim">
                  {percent(tasks === 0 ? 0 : ended / tasks)} of {count(tasks)}
                </span>
              </span>
            </li>
          ))}
        </ul>
      </div>
      <p className="note">A full line waits for the whole job, a dashed one task for task.</p>
    </div>
  );
}

/** In the column after the last one that it waits for. */
function placed({ nodes, edges }: JobGraphView): Map<string, Placed> {
  const column = new Map(nodes.map(({ job }) => [job, 0]));
  for (let round = 0; round < nodes.length; round++) {
    let moved = false;
    for (const { from, to } of edges) {
      const least = (column.get(from) ?? 0) + 1;
      if ((column.get(to) ?? 0) >= least || least > nodes.length) continue;
      column.set(to, least);
      moved = true;
    }
    if (!moved) break;
  }
  const rows = new Map<number, number>();
  return new Map(
    nodes.map(({ job }) => {
      const at = column.get(job) ?? 0;
      const row = rows.get(at) ?? 0;
      rows.set(at, row + 1);
      return [job, { x: at * (boxWidth + gapX), y: row * (boxHeight + gapY) }];
    }),
  );
}

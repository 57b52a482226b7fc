// Why a task is where it is: the master's own sentences, as the CLI prints them.

import { Link } from "@tanstack/react-router";
import type { WhyView } from "../../../src/client/index.ts";
import { count } from "../ui/format.ts";
import { Command, Loading, Name } from "../ui/parts.tsx";

/** More than the sentence that stands under the task's name. */
export const saysMore = (why: WhyView | undefined): boolean =>
  why !== undefined &&
  (why.reasons.some(({ text, workers }) => text !== why.verdict || workers.length > 0) ||
    why.line !== null ||
    why.forecast !== null ||
    why.change.length > 0 ||
    why.attempts.length > 0);

export function Why({ why }: { readonly why: WhyView | undefined }) {
  if (!why) return <Loading what="the reasons" />;
  return (
    <>
      <Reasons reasons={why.reasons} />
      <Ahead why={why} />
      <Told attempts={why.attempts} />
    </>
  );
}

function Reasons({ reasons }: { readonly reasons: WhyView["reasons"] }) {
  return (
    <table className="why">
      <thead>
        <tr>
          <th scope="col">Rule</th>
          <th scope="col">What it says</th>
          <th scope="col">Workers</th>
        </tr>
      </thead>
      <tbody>
        {reasons.map(({ rule, text, workers }) => (
          <tr key={`${rule} ${text}`}>
            <td>
              <code>{rule}</code>
            </td>
            <td dir="auto">{text}</td>
            <td>
              {workers.length === 0 ? <span className="dim">–</span> : null}
              {workers.slice(0, 12).map((worker) => (
                <Link key={worker} className="chip" to="/workers/$worker" params={{ worker }}>
                  <Name text={worker} />
                </Link>
              ))}
              {workers.length > 12 ? `and ${count(workers.length - 12)} more` : ""}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What goes first, when it may start, and what would let it run. */
function Ahead({ why: { line, forecast, change } }: { readonly why: WhyView }) {
  const said = [line?.text, forecast?.text].filter((text) => text !== undefined);
  return (
    <>
      {said.length > 0 ? <p>{said.join(" ")}</p> : null}
      {change.length > 0 ? <h3>What would let it run</h3> : null}
      {change.map(({ text, command }) => (
        <div key={command}>
          <p dir="auto">{text}</p>
          <Command text={command} />
        </div>
      ))}
    </>
  );
}

function Told({ attempts }: { readonly attempts: WhyView["attempts"] }) {
  if (attempts.length === 0) return null;
  return (
    <>
      <h3>What became of its attempts</h3>
      <ol>
        {attempts.map(({ attempt, worker, text }) => (
          <li key={attempt} value={attempt} dir="auto">
            {worker === "" ? "" : `${worker}: `}
            {text}
          </li>
        ))}
      </ol>
    </>
  );
}

// Queues: what waits in each, its share and limits, and a switch to pause it that asks why.

import { Link } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { QueueView } from "../../../src/client/index.ts";
import { isTerm } from "../../../src/protocol/filter.ts";
import { client } from "../api/client.ts";
import { useQueues } from "../api/queries.ts";
import { useCli } from "../shell/cli.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { count, percent } from "../ui/format.ts";
import { Command, Empty, Loading, Name, Trouble } from "../ui/parts.tsx";
import { State } from "../ui/states.tsx";
import { Fact } from "./job.tsx";

export function Queues() {
  const queues = useQueues();
  useCli([
    { does: "This list", command: "skein queue list" },
    { does: "Pause one", command: "skein queue pause NAME" },
    { does: "Its share of the cluster", command: "skein queue set NAME --weight 2" },
  ]);
  if (queues.error && !queues.data) return <Trouble error={queues.error} what="The queues" />;
  if (!queues.data) return <Loading what="queues" />;
  const { items } = queues.data;
  const [assigned, weights] = [total(items, "assigned"), total(items, "weight")];
  return (
    <div className="page">
      <h1>Queues</h1>
      {items.length === 0 ? (
        <Empty why="There is no queue yet. One appears with the first job that names it.">
          <Command text="skein run --queue nightly -- echo hi" />
        </Empty>
      ) : (
        <ul className="cards">
          {items.map((queue) => (
            <QueueCard key={queue.name} queue={queue} assigned={assigned} weights={weights} />
          ))}
        </ul>
      )}
    </div>
  );
}

const total = (queues: readonly QueueView[], key: "assigned" | "weight"): number =>
  queues.reduce((sum, one) => sum + one[key], 0);

function QueueCard(props: {
  readonly queue: QueueView;
  readonly assigned: number;
  readonly weights: number;
}) {
  const { queue, assigned, weights } = props;
  const asked = weights === 0 ? 0 : queue.weight / weights;
  const got = assigned === 0 ? 0 : queue.assigned / assigned;
  return (
    <li className="card">
      <header>
        <h2>
          <Link to="/jobs" search={{ filter: isTerm("queue", queue.name) }}>
            <Name text={queue.name} />
          </Link>
        </h2>
        {queue.paused ? <State state="paused" /> : <span className="note">open</span>}
        <span className="grow" />
        <PauseSwitch queue={queue} />
      </header>
      {queue.paused ? (
        <p className="why-paused" dir="auto">
          {queue.pausedReason ?? "No reason was given."}
        </p>
      ) : null}
      <dl className="facts big">
        <Fact name="Waiting">{count(queue.waiting)}</Fact>
        <Fact name="Running">
          {count(queue.assigned)}
          {queue.runningMax > 0 ? <small> of {count(queue.runningMax)}</small> : null}
        </Fact>
        <Fact name="Jobs">{count(queue.jobs)}</Fact>
      </dl>
      <Share name="asks for" share={asked} tone="idle" />
      <Share name="has now" share={got} tone="run" />
      <p className="note">
        weight {queue.weight / 1_000}
        {queue.queuedMax > 0 ? `, at most ${count(queue.queuedMax)} waiting` : ""}
      </p>
    </li>
  );
}

function Share({
  name,
  share,
  tone,
}: {
  readonly name: string;
  readonly share: number;
  readonly tone: string;
}) {
  return (
    <p className="share-line">
      <span className="dim">{name}</span>
      <span className="share" aria-hidden="true">
        <span className={`bg-${tone}`} style={{ width: `${share * 100}%` }} />
      </span>
      <span className="num">{percent(share)}</span>
    </p>
  );
}

function PauseSwitch({ queue }: { readonly queue: QueueView }) {
  const [asks, setAsks] = useState(false);
  const [reason, setReason] = useState("");
  const [trouble, setTrouble] = useState<string>();
  const queries = useQueryClient();
  const set = async (body: { paused: boolean; pausedReason?: string }) => {
    try {
      await client.setQueue(queue.name, body);
      setAsks(false);
      setTrouble(undefined);
      await queries.invalidateQueries({ queryKey: ["queues"] });
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <button
        type="button"
        aria-label={`${queue.paused ? "Resume" : "Pause"} ${queue.name}`}
        onClick={() => (queue.paused ? void set({ paused: false }) : setAsks(true))}
      >
        {queue.paused ? "Resume" : "Pause"}
      </button>
      <Dialog title={`Pause ${queue.name}`} open={asks} onClose={() => setAsks(false)}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void set({ paused: true, ...(reason === "" ? {} : { pausedReason: reason }) });
          }}
        >
          <p>What runs goes on; nothing new starts. {count(queue.waiting)} tasks wait.</p>
          <label className="field">
            Why, for the others
            <input
              maxLength={200}
              value={reason}
              onChange={(event) => setReason(event.target.value)}
            />
          </label>
          {trouble === undefined ? null : (
            <p className="tone-bad" role="alert">
              {trouble}
            </p>
          )}
          <footer>
            <button type="button" onClick={() => setAsks(false)}>
              Leave it
            </button>
            <button type="submit" className="primary">
              Pause
            </button>
          </footer>
        </form>
      </Dialog>
    </>
  );
}

// One worker: what it is, what it has to give, and draining it.

import { Link, useParams } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { WorkerView } from "../../../src/client/index.ts";
import { client } from "../api/client.ts";
import { useWorkers } from "../api/queries.ts";
import { useCli } from "../shell/cli.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { amount, count, plural } from "../ui/format.ts";
import { Card, Empty, Loading, Name, Trouble } from "../ui/parts.tsx";
import { State } from "../ui/states.tsx";
import { Fact } from "./job.tsx";
import { Labels } from "./jobs.tsx";
import { Meter } from "./workers.tsx";

export function Worker() {
  const { worker: id } = useParams({ from: "/workers/$worker" });
  const workers = useWorkers();
  useCli([
    { does: "Let it finish and take nothing new", command: `skein worker drain ${id}` },
    { does: "All workers", command: "skein worker list" },
  ]);
  if (workers.error && !workers.data)
    return <Trouble error={workers.error} what={`Worker ${id}`} />;
  if (!workers.data) return <Loading what={`worker ${id}`} />;
  const worker = workers.data.items.find((one) => one.id === id);
  if (!worker) {
    return (
      <div className="page">
        <Empty why={`No worker of the name ${id} is known.`}>
          <Link to="/workers">All workers</Link>
        </Empty>
      </div>
    );
  }
  return <Shown worker={worker} />;
}

function Shown({ worker }: { readonly worker: WorkerView }) {
  const { id, state, amounts, used, labels } = worker;
  return (
    <div className="page">
      <header className="job-head">
        <p className="crumbs">
          <Link to="/workers">Workers</Link> <span aria-hidden="true">/</span>
        </p>
        <div className="head-line">
          <h1>
            <Name text={id} />
          </h1>
          <State state={state} />
          <span className="dim">{worker.connected ? "connected" : "not connected"}</span>
          <span className="grow" />
          <Drain worker={worker} />
        </div>
      </header>
      <div className="columns">
        <Card title="In use">
          <dl className="meters">
            {Object.entries(amounts).map(([name, total]) => (
              <div key={name}>
                <dt>
                  <Name text={name} />
                </dt>
                <dd>
                  <Meter name={name} used={used[name] ?? 0} total={total} />
                  <span className="num dim">
                    {amount(name, used[name] ?? 0)} of {amount(name, total)}
                  </span>
                </dd>
              </div>
            ))}
          </dl>
          <p className="dim">
            {plural(worker.running, "task")} running, {count(worker.ahead)} sent ahead of a free
            slot.
          </p>
        </Card>
        <Card title="What it is">
          <dl className="facts tall">
            <Fact name="Host">
              <Name text={worker.hostname} />
            </Fact>
            <Fact name="Process">{worker.pid}</Fact>
            <Fact name="Address">
              <code>{worker.address}</code>
            </Fact>
            <Fact name="Pool">
              <Name text={worker.pool} />
            </Fact>
            <Fact name="Version">
              {worker.version}, node {worker.node}
            </Fact>
            <Fact name="Labels">
              <Labels labels={labels} />
            </Fact>
          </dl>
        </Card>
      </div>
    </div>
  );
}

function Drain({ worker }: { readonly worker: WorkerView }) {
  const [asks, setAsks] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const queries = useQueryClient();
  const isDraining = worker.state === "draining" || worker.state === "drained";
  if (!["active", "suspect", "draining", "drained"].includes(worker.state)) return null;
  const send = async (undo: boolean) => {
    try {
      await client.drainWorker(worker.id, { exit: false, undo });
      setAsks(false);
      setTrouble(undefined);
      await queries.invalidateQueries({ queryKey: ["workers"] });
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <span className="actions">
      {trouble === undefined ? null : (
        <span className="tone-bad" role="alert">
          {trouble}
        </span>
      )}
      {isDraining ? (
        <button type="button" onClick={() => void send(true)}>
          Take work again
        </button>
      ) : (
        <button type="button" onClick={() => setAsks(true)}>
          Drain
        </button>
      )}
      <Dialog title={`Drain ${worker.id}`} open={asks} onClose={() => setAsks(false)}>
        <p>
          It takes nothing new. {plural(worker.running, "task")} that{" "}
          {worker.running === 1 ? "runs" : "run"} may finish within an hour; its process stays.
        </p>
        <footer>
          <button type="button" onClick={() => setAsks(false)}>
            Leave it
          </button>
          <button type="button" className="primary" onClick={() => void send(false)}>
            Drain
          </button>
        </footer>
      </Dialog>
    </span>
  );
}

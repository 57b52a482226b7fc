// One worker: what it is, what it has to give, what it runs and ran; and taking it out of work.

import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { SkeinError } from "../../../src/client/index.ts";
import type { WorkerDetailView } from "../../../src/client/index.ts";
import { client } from "../api/client.ts";
import { useWorker } from "../api/queries.ts";
import { useCli } from "../shell/cli.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { amount, count, plural } from "../ui/format.ts";
import { Ago, Card, Empty, Loading, messageOf, Name, Trouble } from "../ui/parts.tsx";
import { State } from "../ui/states.tsx";
import { Fact } from "./job.tsx";
import { Labels } from "./jobs.tsx";
import { WorkerAttempts } from "./worker-attempts.tsx";
import { Meter } from "./workers.tsx";

export function Worker() {
  const { worker: id } = useParams({ from: "/workers/$worker" });
  const worker = useWorker(id);
  useCli([
    { does: "Take nothing new", command: `skein worker cordon ${id}` },
    { does: "Let it finish and take nothing new", command: `skein worker drain ${id}` },
    { does: "All workers", command: "skein worker list" },
  ]);
  if (worker.error instanceof SkeinError && worker.error.code === "not_found") {
    return (
      <div className="page">
        <Empty why={`No worker of the name ${id} is known.`}>
          <Link to="/workers">All workers</Link>
        </Empty>
      </div>
    );
  }
  if (worker.error && !worker.data) return <Trouble error={worker.error} what={`Worker ${id}`} />;
  if (!worker.data) return <Loading what={`worker ${id}`} />;
  return <Shown worker={worker.data} />;
}

function Shown({ worker }: { readonly worker: WorkerDetailView }) {
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
          <Since worker={worker} />
          <span className="dim">{worker.connected ? "connected" : "not connected"}</span>
          <span className="grow" />
          <Actions worker={worker} />
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
      <WorkerAttempts worker={id} />
    </div>
  );
}

function Since({ worker: { changed, reason } }: { readonly worker: WorkerDetailView }) {
  if (changed === null) return null;
  return (
    <span className="dim">
      since <Ago at={changed} />
      {reason === null ? "" : `: ${reason}`}
    </span>
  );
}

type Ask = "none" | "drain" | "forget";

/** What can be done to a worker in its state; what cannot be undone is asked for first. */
function Actions({ worker }: { readonly worker: WorkerDetailView }) {
  const { id, state } = worker;
  const [asks, setAsks] = useState<Ask>("none");
  const [trouble, setTrouble] = useState<string>();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const close = () => setAsks("none");
  const send = async (what: () => Promise<unknown>) => {
    close();
    setTrouble(undefined);
    try {
      await what();
      for (const key of ["workers", "worker"]) {
        void queries.invalidateQueries({ queryKey: [key] });
      }
    } catch (error) {
      setTrouble(messageOf(error));
    }
  };
  const forget = async () => {
    await client.forgetWorker(id);
    await navigate({ to: "/workers" });
  };
  return (
    <span className="actions">
      {trouble === undefined ? null : (
        <span className="tone-bad" role="alert">
          {trouble}
        </span>
      )}
      {state === "active" || state === "suspect" ? (
        <>
          <button type="button" onClick={() => void send(() => client.cordonWorker(id))}>
            Cordon
          </button>
          <button type="button" onClick={() => setAsks("drain")}>
            Drain
          </button>
        </>
      ) : null}
      {state === "draining" || state === "drained" ? (
        <button
          type="button"
          onClick={() => void send(() => client.cordonWorker(id, { undo: true }))}
        >
          Take work again
        </button>
      ) : null}
      {state === "lost" || state === "gone" ? (
        <button type="button" onClick={() => setAsks("forget")}>
          Forget
        </button>
      ) : null}
      <Dialog title={`Drain ${id}`} open={asks === "drain"} onClose={close}>
        <p>
          It takes nothing new. {plural(worker.running, "task")} that{" "}
          {worker.running === 1 ? "runs" : "run"} may finish within an hour; then its process ends.
        </p>
        <Choice verb="Drain" onLeave={close} onGo={() => void send(() => client.drainWorker(id))} />
      </Dialog>
      <Dialog title={`Forget ${id}`} open={asks === "forget"} onClose={close}>
        <p>
          It is {state}. Forgotten, it is in no list any more; if it comes back, it joins as a new
          one.
        </p>
        <Choice verb="Forget" onLeave={close} onGo={() => void send(forget)} />
      </Dialog>
    </span>
  );
}

function Choice(props: {
  readonly verb: string;
  readonly onLeave: () => void;
  readonly onGo: () => void;
}) {
  return (
    <footer>
      <button type="button" onClick={props.onLeave}>
        Leave it
      </button>
      <button type="button" className="primary" onClick={props.onGo}>
        {props.verb}
      </button>
    </footer>
  );
}

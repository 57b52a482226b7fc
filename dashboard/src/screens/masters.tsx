// Masters: who leads, who stands by and how far behind, what can be lost; and giving the lead away.

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { MasterView } from "../../../src/client/index.ts";
import { client } from "../api/client.ts";
import { useMasters, useStatus } from "../api/queries.ts";
import { useCli } from "../shell/cli.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { bytes, count, duration } from "../ui/format.ts";
import { Ago, Card, Loading, Name, Trouble } from "../ui/parts.tsx";
import { State } from "../ui/states.tsx";
import { Fact } from "./job.tsx";

export function Masters() {
  const masters = useMasters();
  const status = useStatus();
  useCli([
    { does: "This list", command: "skein master list" },
    { does: "Give the lead to another", command: "skein master step-down" },
    { does: "Start another", command: "skein master --id m2 --join http://HOST:7420" },
  ]);
  if (masters.error && !masters.data) return <Trouble error={masters.error} what="The masters" />;
  if (!masters.data) return <Loading what="masters" />;
  const { items, survives, term } = masters.data;
  return (
    <div className="page">
      <div className="head-line">
        <h1>Masters</h1>
        <span className="dim">term {count(term)}</span>
      </div>
      <p className="sentence small">{survives}</p>
      <ul className="cards">
        {items.map((master) => (
          <MasterCard key={master.id} master={master} term={term} others={items} />
        ))}
      </ul>
      {status.data ? (
        <Card title="Journal" wide>
          <dl className="facts">
            <Fact name="Engine">{status.data.journal.engine}</Fact>
            <Fact name="Batches">{count(status.data.journal.index)}</Fact>
            <Fact name="Trimmed to">{count(status.data.journal.trimmed)}</Fact>
            <Fact name="Size">{bytes(status.data.journal.bytes)}</Fact>
            <Fact name="Snapshot">
              {status.data.snapshot ? `at ${count(status.data.snapshot.index)}` : "none yet"}
            </Fact>
            <Fact name="State in memory">{bytes(status.data.stateBytes)}</Fact>
            <Fact name="Cluster">
              <code>{status.data.journal.id}</code>
            </Fact>
          </dl>
        </Card>
      ) : null}
    </div>
  );
}

function MasterCard(props: {
  readonly master: MasterView;
  readonly term: number;
  readonly others: readonly MasterView[];
}) {
  const { master, term, others } = props;
  const number = (n: number | null) => (n === null ? "unknown" : count(n));
  return (
    <li className="card">
      <header>
        <h2>
          <Name text={master.id} />
        </h2>
        <State state={master.state} />
        <span className="grow" />
        {master.state === "leading" ? (
          <StepDown term={term} others={others} leader={master.id} />
        ) : null}
      </header>
      <dl className="facts tall">
        <Fact name="Address">
          <code>{master.address}</code>
        </Fact>
        {master.since === null ? null : (
          <Fact name="Leads since">
            <Ago at={master.since} />
          </Fact>
        )}
        <Fact name="Applied">{number(master.applied)}</Fact>
        <Fact name="Behind">
          {master.lag === null
            ? "unknown"
            : master.lag === 0
              ? "nothing"
              : `${count(master.lag)} batches`}
        </Fact>
        <Fact name="Snapshot">{master.snapshot === 0 ? "none yet" : number(master.snapshot)}</Fact>
        <Fact name="Clock">
          {master.clockMs === null ? "unknown" : `${duration(Math.abs(master.clockMs))} off`}
        </Fact>
        <Fact name="Version">{master.version ?? "unknown"}</Fact>
      </dl>
    </li>
  );
}

function StepDown(props: {
  readonly term: number;
  readonly leader: string;
  readonly others: readonly MasterView[];
}) {
  const { term, leader, others } = props;
  const [asks, setAsks] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const queries = useQueryClient();
  const ready = others.filter(({ state }) => state === "standing by");
  const send = async (to: string) => {
    try {
      await client.stepDown({ to, term });
      setAsks(false);
      await queries.invalidateQueries({ queryKey: ["masters"] });
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
  };
  if (ready.length === 0) return null;
  return (
    <>
      <button type="button" onClick={() => setAsks(true)}>
        Give the lead away
      </button>
      <Dialog
        title={`Let another lead instead of ${leader}`}
        open={asks}
        onClose={() => setAsks(false)}
      >
        <p>Submits wait for a moment; nothing that runs is touched.</p>
        {trouble === undefined ? null : (
          <p className="tone-bad" role="alert">
            {trouble}
          </p>
        )}
        <footer>
          <button type="button" onClick={() => setAsks(false)}>
            Leave it
          </button>
          {ready.map(({ id }) => (
            <button key={id} type="button" className="primary" onClick={() => void send(id)}>
              To {id}
            </button>
          ))}
        </footer>
      </Dialog>
    </>
  );
}

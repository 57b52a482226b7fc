/** The journal as the checker wants it: batches read through the Journal's own contract, entries reduced to facts. */
import type { Entry } from "../../src/core/entry.ts";
import { openJournal } from "../../src/journal/engines.ts";
import type { Journal, StoredBatch } from "../../src/journal/journal.ts";
import { decodeEntries } from "../../src/master/codec.ts";
import type { ReferenceLine } from "../../src/protocol/lines.ts";
import { endReason } from "../../src/protocol/model.ts";
import {
  decodeOutcomes,
  decodeStored,
  outcomeItem,
  storedBit,
} from "../../src/protocol/outcome-block.ts";
import type { OutcomeItem } from "../../src/protocol/outcome-block.ts";
import { clientKeyText } from "../../src/protocol/request-key.ts";
import { now, storedValue } from "./history.ts";
import type { BatchRecord, Fact, Input } from "./history.ts";

/** Reads along while the round goes on, so that a trim takes nothing from the history. */
export class JournalWatch implements AsyncDisposable {
  readonly batches: BatchRecord[] = [];
  readonly #journal: Journal;
  #reading: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout;

  private constructor(journal: Journal) {
    this.#journal = journal;
    this.#timer = setInterval(() => {
      // A member that is down now answers later; `finish` throws what does not pass.
      this.#reading = this.#reading.then(() => this.#read()).catch(() => {});
    }, 500);
  }

  static async open(url: string): Promise<JournalWatch> {
    return new JournalWatch(await openJournal(url));
  }

  /** Reads to the head; nothing harms the engine any more. */
  async finish(): Promise<readonly BatchRecord[]> {
    clearInterval(this.#timer);
    await this.#reading;
    await this.#read();
    await this.#journal.verify();
    return this.batches;
  }

  async #read(): Promise<void> {
    for (;;) {
      const more = await this.#journal.readAfter(this.batches.at(-1)?.index ?? 0);
      if (more.length === 0) return;
      const seenAt = now();
      this.batches.push(...more.map((batch) => toRecord(batch, seenAt)));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#reading;
    await this.#journal[Symbol.asyncDispose]();
  }
}

function toRecord(batch: StoredBatch, seenAt: number): BatchRecord {
  const { journalId, index, term, hash, previousHash, time } = batch;
  const entries = decodeEntries(batch.bytes, batch.format);
  const facts = entries.flatMap((entry, n) => factsOf(entry).map((fact) => ({ n, ...fact })));
  return { journalId, index, term, hash, previousHash, time, seenAt, facts };
}

type FactOnly = Fact extends infer One ? (One extends Fact ? Omit<One, "n"> : never) : never;

function factsOf(entry: Entry): readonly FactOnly[] {
  switch (entry.kind) {
    case "elected": {
      const { term, id, incarnation } = entry;
      return [{ kind: "elected", term, id, life: incarnation }];
    }
    case "resigned":
      return [{ kind: "resigned", to: entry.to }];
    case "jobCreated":
      return [{ kind: "job", job: entry.job, id: entry.id, key: keyOf(entry.key) }];
    case "partAdded":
      return [{ kind: "part", job: entry.job, inputs: inputsOf(entry.bytes) }];
    case "jobClosed":
      return [{ kind: "closed", job: entry.job }];
    case "jobStopping":
      return [{ kind: "stopping", job: entry.job }];
    case "workerRegistered": {
      const { id, incarnation, pid } = entry.info;
      return [{ kind: "registered", worker: entry.worker, id, life: incarnation, pid }];
    }
    case "workerLost":
      return [{ kind: "lost", worker: entry.worker, reason: entry.reason }];
    default:
      return attemptFacts(entry);
  }
}

function attemptFacts(entry: Entry): readonly FactOnly[] {
  switch (entry.kind) {
    case "assigned": {
      const { job, first, count, attempt, worker } = entry;
      return [{ kind: "assigned", job, first, count, attempt, worker }];
    }
    case "unassigned": {
      const { job, first, count, worker } = entry;
      return [{ kind: "unassigned", job, first, count, worker }];
    }
    case "swept": {
      const { job, first, count } = entry;
      return [{ kind: "swept", job, first, count, reason: endReason(entry.reason).name }];
    }
    case "released": {
      const { job, worker, tasks } = entry;
      return [{ kind: "released", job, worker, tasks }];
    }
    case "outcomes": {
      const { job, worker } = entry;
      return outcomesOf(entry.block).map((one) => ({ kind: "outcome", job, worker, ...one }));
    }
    case "attemptFailed": {
      const { job, worker, task, attempt } = entry;
      const reason = endReason(entry.reason).name;
      return [{ kind: "attemptFailed", job, worker, task, attempt, reason }];
    }
    default:
      return [];
  }
}

function keyOf(key: (Entry & { kind: "jobCreated" })["key"]): string | null {
  if (key === null) return null;
  // Keys of people are of one principal each (K8): "by/key". A round has one.
  return key.kind === "user" ? key.key.slice(key.key.indexOf("/") + 1) : clientKeyText(key);
}

function inputsOf(bytes: Uint8Array): Input[] {
  const lines = new TextDecoder().decode(bytes).trimEnd().split("\n");
  return lines.map((line) => {
    if (line.startsWith("@")) return storedInput(JSON.parse(line.slice(1)) as ReferenceLine);
    const { n, ms, failing, gives } = JSON.parse(line) as Input;
    return { n, ms, failing, ...(gives === undefined ? {} : { gives }) };
  });
}

/** The journal knows no more of it; `withInputs` in check-payloads.ts says what it was. */
function storedInput(line: ReferenceLine): Input {
  if (!("stored" in line)) throw new Error("no task of a round has results of others in its input");
  return { n: 0, ms: 0, failing: 0, stored: line.stored.hash };
}

export interface BlockOutcome {
  readonly task: number;
  readonly attempt: number;
  readonly reason: string;
  readonly value: string;
}

/** The outcomes in a block, as a round compares them. */
export function outcomesOf(block: Uint8Array): BlockOutcome[] {
  const columns = decodeOutcomes(block);
  return Array.from({ length: columns.count }, (_, i) => {
    const item = outcomeItem(columns, i);
    const { task, attempt } = item;
    return { task, attempt, reason: endReason(item.code & ~storedBit).name, value: valueIn(item) };
  });
}

function valueIn({ code, value }: OutcomeItem): string {
  if ((code & storedBit) !== 0) return storedValue(decodeStored(value).hash);
  if (value.length === 0) return "";
  const said: unknown = JSON.parse(new TextDecoder().decode(value));
  if (typeof said === "object" && said !== null && "message" in said) return String(said.message);
  return typeof said === "string" ? said : JSON.stringify(said);
}

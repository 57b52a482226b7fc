/** Small changes to a history, each of which makes it a lie. What is not found throws: a lie must be one. */
import type { BatchRecord, Fact, History, Operation, RunLine } from "./history.ts";
import { replay } from "./replay.ts";
import type { Attempt, ReplayedJob, ReplayedTask } from "./replay.ts";

/** The same with all that was `readonly` open for change: a copy. */
type Open<T> = T extends string | number | boolean | null | undefined
  ? T
  : { -readonly [Key in keyof T]: Open<T[Key]> };

export type Forged = Open<History>;
export type ForgedFact = Open<Fact>;

export function forge(history: History, change: (forged: Forged) => void): History {
  // A clone has the same shape, and nobody else holds it.
  const forged = structuredClone(history) as Forged;
  change(forged);
  return forged as History;
}

export function found<T>(item: T | undefined, what: string): T {
  if (item === undefined) throw new Error(`this history has no ${what} to falsify`);
  return item;
}

interface FactAt<Kind extends Fact["kind"]> {
  readonly batch: Open<BatchRecord>;
  readonly fact: Open<Fact & { readonly kind: Kind }>;
}

export function factsOf<Kind extends Fact["kind"]>(forged: Forged, kind: Kind): FactAt<Kind>[] {
  return forged.batches.flatMap((batch) =>
    batch.facts
      .filter((fact) => fact.kind === kind)
      .map((fact) => ({ batch, fact: fact as Open<Fact & { readonly kind: Kind }> })),
  );
}

export function aFact<Kind extends Fact["kind"]>(
  forged: Forged,
  kind: Kind,
  fits: (fact: FactAt<Kind>["fact"]) => boolean = () => true,
): FactAt<Kind> {
  const one = factsOf(forged, kind).find(({ fact }) => fits(fact));
  return found(one, kind);
}

export function dropFact(batch: Open<BatchRecord>, fact: ForgedFact): void {
  batch.facts.splice(batch.facts.indexOf(fact), 1);
}

export function anOperation<Kind extends Operation["kind"]>(
  forged: Forged,
  kind: Kind,
  fits: (one: Operation & { readonly kind: Kind }) => boolean,
): Open<Operation & { readonly kind: Kind }> {
  const one = forged.operations.find(
    (each) => each.kind === kind && fits(each as Operation & { readonly kind: Kind }),
  );
  return found(one, kind) as Open<Operation & { readonly kind: Kind }>;
}

export function aStart(forged: Forged, fits: (line: RunLine) => boolean = () => true) {
  return found(
    forged.runs.find((line) => line.what === "start" && fits(line)),
    "start",
  );
}

export interface AttemptAt {
  readonly job: ReplayedJob;
  readonly number: number;
  readonly task: ReplayedTask;
  readonly attempt: Attempt;
}

/** An attempt by how it ended in the journal. */
export function anAttempt(forged: Forged, fits: (at: AttemptAt) => boolean): AttemptAt {
  for (const job of replay(forged.batches as readonly BatchRecord[]).jobs.values()) {
    for (const [number, task] of job.tasks.entries()) {
      const attempt = task.attempts.find((one) => fits({ job, number, task, attempt: one }));
      if (attempt) return { job, number, task, attempt };
    }
  }
  throw new Error("this history has no such attempt to falsify");
}

// The state at the head of the journal: a snapshot, and every batch after it folded in (J5, A4). Any other
// master's batches and our own are all the same here.

import { apply } from "../core/apply.ts";
import { openBatch } from "../core/turn.ts";
import { createDigestMemory, digest } from "../core/digest.ts";
import type { DigestMemory } from "../core/digest.ts";
import type { Effect } from "../core/effect.ts";
import { canRead } from "../core/entry.ts";
import type { Entry } from "../core/entry.ts";
import type { State } from "../core/state.ts";
import { JournalHalt } from "../journal/halt.ts";
import type { StoredBatch } from "../journal/journal.ts";
import { decodeEntries } from "./codec.ts";

/** Folds one batch in; what follows from it is given to `seen`. */
export function foldBatch(
  state: State,
  batch: StoredBatch,
  check: DigestCheck,
  seen?: (effects: readonly Effect[]) => void,
): void {
  if (batch.index !== state.index + 1) {
    throw new JournalHalt("gap", {
      what: `batch ${batch.index} does not follow batch ${state.index}`,
      why: "batches are missing between them",
      todo: "keep all files; restore the journal from a backup",
    });
  }
  if (batch.term < state.term) return openBatch(state, { ...batch, term: state.term });
  const effects: Effect[] = [];
  for (const entry of decodeEntries(batch.bytes, batch.format)) {
    if (!canRead(entry)) throw newerVersion(batch.index, entry);
    if (entry.kind === "digest" || entry.kind === "elected" || entry.kind === "resigned") {
      check(state, batch.index, entry.digest);
    }
    if (state.index !== batch.index) openBatch(state, batch);
    apply(state, entry, effects);
  }
  if (state.index !== batch.index) openBatch(state, batch);
  seen?.(effects);
}

export type DigestCheck = (state: State, index: number, recorded: string) => void;

/** Compares the digests that the journal holds with the state's own (L10). */
export function createDigestCheck(
  onDifference: (index: number, own: string, recorded: string) => void,
  memory: DigestMemory = createDigestMemory(),
  onAgreement: () => void = () => {},
): DigestCheck {
  return (state, index, recorded) => {
    if (recorded === "") return;
    const own = digest(state, memory);
    if (own === recorded) onAgreement();
    else onDifference(index, own, recorded);
  };
}

/** A digest that differed, and none after it that did not: who wrote it is contradicted by nobody yet. */
export interface Difference {
  readonly index: number;
  readonly own: string;
  readonly recorded: string;
}

/**
 * What the digests say of a state that is folded from the disk (L10). The last one counts: one before it was written
 * from a corrupt memory, which whoever led after that has contradicted.
 */
export class DigestWitness {
  #last: Difference | undefined;
  readonly check: DigestCheck;

  constructor(onDifference: (difference: Difference) => void = () => {}) {
    const differs = (index: number, own: string, recorded: string) => {
      this.#last = { index, own, recorded };
      onDifference(this.#last);
    };
    this.check = createDigestCheck(differs, createDigestMemory(), () => (this.#last = undefined));
  }

  get last(): Difference | undefined {
    return this.#last;
  }
}

function newerVersion(index: number, { kind, v }: Pick<Entry, "kind" | "v">): JournalHalt {
  return new JournalHalt("newer_version", {
    what: `batch ${index} has an entry ${kind} of version ${v}`,
    why: "a newer Skein wrote it, and to pass it over would make this state another",
    todo: "Run this master with the version that the others run; its files are sound",
  });
}

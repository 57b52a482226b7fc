// A damaged journal, as one master is shown it: a flipped bit, a missing batch, another batch in the place of the
// right one, batches of another journal, an end that went back. Whoever meets it stops with a typed halt (J5); the
// others carry on, and nothing of it spreads.

import { decodeBatch, encodeBatch } from "../../src/journal/batch.ts";
import type { EncodedBatch } from "../../src/journal/batch.ts";
import { checkExtends, headOf } from "../../src/journal/chain.ts";
import { JournalHalt } from "../../src/journal/halt.ts";
import type { HaltKind } from "../../src/journal/halt.ts";
import type { AppendResult, Head } from "../../src/journal/journal.ts";
import type { SimMaster } from "./master.ts";
import type { View } from "./store.ts";
import type { World } from "./world.ts";

type Kind = "corrupt" | "gap" | "fork" | "foreign" | "head went back";

/** What a master may stop with. */
const halts: { readonly [kind in Kind]: readonly HaltKind[] } = {
  corrupt: ["corrupt"],
  gap: ["gap"],
  fork: ["broken_chain"],
  foreign: ["foreign_journal"],
  "head went back": ["head_went_back", "broken_chain"],
};

export class Damage {
  readonly victim: SimMaster;
  readonly kind: Kind;
  /** It has been met. */
  met = false;
  #fooled = false;
  readonly #world: World;

  constructor(world: World, victim: SimMaster, kind: Kind) {
    this.#world = world;
    this.victim = victim;
    this.kind = kind;
    world.timeline.trace(`from here on ${victim.id} sees a damaged journal: ${kind}`);
    const { store, random } = world;
    const from = store.head.index;
    victim.engine.view =
      kind === "head went back"
        ? new ShorterView(world, Math.max(store.trimmed + 1, from - random.faults.between(1, 5)))
        : new DamagedView(world, kind, from + random.faults.between(0, 3));
  }

  /** The victim has followed a batch: one that is not in the journal may fool it only until the next. */
  followed(index: number, hash: string): void {
    const fooled = this.#fooled;
    this.#fooled = this.#world.replicas.at(index)?.hash !== hash;
    const late = fooled || (this.#fooled && this.kind === "foreign");
    this.#world.check(!late, `J5: ${this.victim.id} follows a damaged journal (${this.kind})`);
  }

  /** Whether a master had a reason to stop like this. */
  explains(master: SimMaster, why: Error): boolean {
    const typed = why instanceof JournalHalt && halts[this.kind].includes(why.kind);
    const forked = this.kind === "fork" && why.message.startsWith("the journal is forked");
    if (master !== this.victim || !(typed || forked)) return false;
    this.met = true;
    this.#world.timeline.trace(`${master.id} stops: ${why.message}`);
    return true;
  }
}

const kinds: readonly Kind[] = ["corrupt", "gap", "fork", "foreign", "head went back"];

/** Once in a run, at a moment of its own. */
export function planDamage(world: World): void {
  const { timeline, random, knobs, masters } = world;
  const ms = knobs.faultsMs * (0.1 + 0.6 * random.faults.float());
  timeline.after(ms, "damage", () => {
    if (world.store.head.index < 2) return;
    world.damage = new Damage(world, random.faults.pick(masters), random.faults.pick(kinds));
  });
}

/** Everything behind an index is not what was written. */
class DamagedView implements View {
  readonly #world: World;
  readonly #kind: Kind;
  readonly #from: number;

  constructor(world: World, kind: Kind, from: number) {
    this.#world = world;
    this.#kind = kind;
    this.#from = from;
  }

  get head(): Head {
    return this.#world.store.head;
  }

  get trimmed(): number {
    return this.#world.store.trimmed;
  }

  append(batch: EncodedBatch, by: string): AppendResult {
    return this.#world.store.append(batch, by);
  }

  bytes(index: number): Uint8Array | undefined {
    const bytes = this.#world.store.bytes(index);
    if (index <= this.#from || !bytes) return bytes;
    if (this.#kind === "gap") return undefined;
    if (this.#kind === "corrupt") {
      const copy = Uint8Array.from(bytes);
      copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
      return copy;
    }
    const batch = decodeBatch(bytes);
    if (this.#kind === "foreign") return encodeBatch({ ...batch, journalId: "another-01" }).bytes;
    // Only the first is another one; the next does not continue it.
    const other = { ...batch, batchId: "f".repeat(32) };
    return index === this.#from + 1 ? encodeBatch(other).bytes : bytes;
  }
}

/** As after the restore of an old copy. */
class ShorterView implements View {
  readonly head: Head;
  readonly trimmed: number;
  readonly #journalId: string;
  readonly #batches = new Map<number, Uint8Array>();

  constructor({ store }: World, last: number) {
    this.#journalId = store.journalId;
    this.trimmed = store.trimmed;
    for (let index = this.trimmed + 1; index <= last; index++) {
      this.#batches.set(index, store.bytes(index) ?? new Uint8Array());
    }
    this.head = headOf(decodeBatch(this.#batches.get(last) ?? new Uint8Array()));
  }

  bytes(index: number): Uint8Array | undefined {
    return this.#batches.get(index);
  }

  append(batch: EncodedBatch): AppendResult {
    const { index, term } = this.head;
    checkExtends(this.#journalId, this.head, batch);
    if (index !== batch.index - 1 || term > batch.term) return { kind: "conflict" };
    // Two journals from here on: nobody can promise anything for them.
    return { kind: "unknown", cause: new Error("what it says now is of no use") };
  }
}

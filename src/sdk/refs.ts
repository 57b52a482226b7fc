// References to results of other jobs, inside inputs. A reference turns itself into a placeholder while an
// input is serialised, and is collected: inputs without any pay nothing for it.

import type { OutputRef } from "../protocol/lines.ts";

declare const refersTo: unique symbol;

/** Stands for a value that a worker puts in its place before the task runs. */
export interface Ref<out Value> {
  readonly [refersTo]?: Value;
  readonly job: string;
  readonly task: number | undefined;
}

/** The results of all tasks of a job, in order. As the inputs of a map: one task for each. */
export interface OutputsRef<out Output> extends Ref<Output[]> {
  readonly task: undefined;
}

/** `T`, or a reference, here or anywhere inside. */
export type WithRefs<T> =
  | T
  | Ref<T>
  | (T extends readonly (infer Item)[]
      ? readonly WithRefs<Item>[]
      : T extends object
        ? { readonly [Key in keyof T]: WithRefs<T[Key]> }
        : never);

class Reference<Value> implements Ref<Value> {
  declare readonly [refersTo]?: Value;
  readonly job: string;
  readonly task: number | undefined;

  constructor(job: string, task: number | undefined) {
    this.job = job;
    this.task = task;
  }

  toJSON(): unknown {
    const ref = this.task === undefined ? { job: this.job } : { job: this.job, task: this.task };
    // Outside of an input, in a log say, it shows what it is.
    if (!collecting) return ref;
    return { $skein: collected.push(ref) - 1 };
  }
}

export function allOutputs<Output>(job: string): OutputsRef<Output> {
  return new Reference<Output[]>(job, undefined) as OutputsRef<Output>;
}

export function oneOutput<Output>(job: string, task: number): Ref<Output> {
  return new Reference<Output>(job, task);
}

export function isOutputs(value: unknown): value is OutputsRef<unknown> {
  return value instanceof Reference && value.task === undefined;
}

let collecting = false;
let collected: OutputRef[] = [];
const none: readonly OutputRef[] = [];

/** JSON.stringify, and the references met on the way. Throws what JSON.stringify throws. */
export function stringifyWithRefs(value: unknown): {
  readonly json: string | undefined;
  readonly refs: readonly OutputRef[];
} {
  collecting = true;
  try {
    // The declared type forgets that undefined and functions give undefined.
    const json = JSON.stringify(value) as string | undefined;
    return { json, refs: collected.length === 0 ? none : collected };
  } finally {
    collecting = false;
    if (collected.length > 0) collected = [];
  }
}

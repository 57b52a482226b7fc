// What a worker is told at its start, checked before anything is opened: a master would refuse it later, and for good.

import { SkeinError } from "../protocol/errors.ts";
import { namePattern } from "../protocol/ids.ts";
import { limits } from "../protocol/limits.ts";
import type { Amounts, Labels } from "../protocol/model.ts";
import { originOf } from "./sessions.ts";

export interface CheckedOptions {
  readonly id: string;
  readonly masters: readonly string[];
  readonly labels?: Labels;
  readonly amounts?: Amounts;
  readonly pool?: string;
}

const nameRule = "Letters, digits and _ . : @ # -, at most 128.";

/** @throws SkeinError `usage` */
export function checkOptions(options: CheckedOptions): void {
  const { id, masters, labels = {}, amounts = {}, pool } = options;
  const wrong = masters.find((url) => originOf(url) === undefined);
  if (wrong !== undefined || masters.length === 0) {
    const message = wrong === undefined ? "A worker needs a master" : `${wrong} is no address`;
    throw new SkeinError("usage", message, { hint: "Name masters as http://host:7420." });
  }
  checkName("id", id);
  if (pool !== undefined) checkName("pool", pool);
  for (const name of Object.keys(amounts)) checkName("amount", name);
  for (const name of Object.keys(labels)) checkName("label", name);
  const names = Object.keys(labels).length;
  if (names > limits.labelsMax) {
    throw new SkeinError("usage", `A worker has at most ${limits.labelsMax} labels, not ${names}.`);
  }
  const long = Object.entries(labels).find(([, value]) => value.length > limits.labelBytesMax);
  if (!long) return;
  const message = `Label ${long[0]} has more than ${limits.labelBytesMax} characters.`;
  throw new SkeinError("usage", message, { hint: "Shorten it." });
}

function checkName(what: string, name: string): void {
  if (namePattern.test(name)) return;
  const message = `${JSON.stringify(name)} cannot be the ${what} of a worker.`;
  throw new SkeinError("usage", message, { hint: nameRule });
}

// Filters of lists: `state:failed,cancelled label.team=film !queue:night created>2h`.
//
//   filter  = term { space term }                    all must hold; an empty one holds for everything
//   term    = [ "!" ] field ":" values               equal to any of them
//           | [ "!" ] "label." name "=" values
//           | [ "!" ] field ( ">" | "<" ) moment     later or earlier
//   values  = value { "," value }
//   value   = what has no space, comma or quote in it, or a JSON string: "night shift, Berlin"
//   moment  = an ISO 8601 time, or a duration, which means so long ago: created>2h is younger than that
//
//   F1. Nothing is guessed: an unknown field or word is refused, with those that exist and the nearest one.
//   F2. "!" is the complement: of `x` and `!x` exactly one holds for every item, also where a field has no value.
//   F3. Parsing is pure: what "ago" counts from is given.

import { SkeinError } from "./errors.ts";
import { filterFields } from "./filter-fields.ts";
import type { FieldKind, FilterResource } from "./filter-fields.ts";
import { limits } from "./limits.ts";

export type Term = IsTerm | MomentTerm;
export interface IsTerm {
  readonly kind: "is";
  /** "state", or of labels "label.team". */
  readonly field: string;
  readonly not: boolean;
  readonly values: readonly string[];
}
export interface MomentTerm {
  readonly kind: "after" | "before";
  readonly field: string;
  readonly not: boolean;
  /** Wall clock, ms. */
  readonly at: number;
}

export const labelPrefix = "label.";

/** @throws SkeinError `bad_request` that says what is wrong, and what would be right */
export function parseFilter(
  resource: FilterResource,
  filter: string | undefined,
  now: number,
): readonly Term[] {
  if (filter === undefined) return [];
  if (filter.length > limits.filterCharsMax) {
    const most = limits.filterCharsMax.toLocaleString("en-US");
    throw bad(`it has ${filter.length} characters; at most ${most} are read`, "Ask for less.");
  }
  const reader = new FilterReader(filter);
  const terms: Term[] = [];
  for (reader.skipSpace(); !reader.over; reader.skipSpace()) {
    if (terms.length === limits.filterTermsMax) {
      throw bad(`it has more than ${limits.filterTermsMax} terms`, "Ask for less.");
    }
    terms.push(parseTerm(resource, reader, now));
  }
  return terms;
}

function parseTerm(resource: FilterResource, reader: FilterReader, now: number): Term {
  const start = reader.at;
  const not = reader.take("!");
  const isLabel = reader.startsWith(labelPrefix);
  const field = reader.name(isLabel);
  const sign = reader.sign();
  const kind = kindOf(resource, field, isLabel) ?? unknownField(resource, field, reader, start);
  if (kind.kind === "time") {
    if (sign !== ">" && sign !== "<") {
      throw bad(`${field} is a time`, `Write ${field}>2h or ${field}<2026-11-21T00:00:00Z.`);
    }
    const at = momentOf(field, reader.value(), now);
    reader.endTerm();
    return { kind: sign === ">" ? "after" : "before", field, not, at };
  }
  const wanted = isLabel ? "=" : ":";
  const example = isLabel ? `${labelPrefix}team=film` : `${field}:${exampleOf(kind)}`;
  if (isLabel && field === labelPrefix) throw bad("a label has a name", `Write ${example}.`);
  if (sign !== wanted) {
    const why = sign === "" ? "has no value" : `takes "${wanted}", not "${sign}"`;
    throw bad(`${JSON.stringify(field)} ${why}`, `Write ${example}.`);
  }
  const values = reader.values(field);
  if (kind.kind === "word") for (const value of values) checkWord(field, kind.words, value);
  return { kind: "is", field, not, values };
}

/** "label" itself is no field: "label.team" is. */
function kindOf(resource: FilterResource, field: string, isLabel: boolean): FieldKind | undefined {
  const fields: Readonly<Record<string, FieldKind>> = filterFields[resource];
  const name = isLabel ? "label" : field;
  return Object.hasOwn(fields, name) && (name !== "label" || isLabel) ? fields[name] : undefined;
}

function unknownField(
  resource: FilterResource,
  field: string,
  { text }: FilterReader,
  start: number,
): never {
  const known = Object.keys(filterFields[resource]);
  const names = known.map((name) => (name === "label" ? `${labelPrefix}NAME` : name)).join(", ");
  if (field === "") {
    const rest = JSON.stringify(text.slice(start, start + 40));
    throw bad(`${rest} does not begin with a field`, `Fields here: ${names}.`);
  }
  const near = nearest(field, known);
  const meant = near === "label" ? `${labelPrefix}NAME=` : near;
  const guess = meant === undefined ? "" : `Did you mean ${meant}? `;
  throw bad(`there is no field ${JSON.stringify(field)} here`, `${guess}Fields here: ${names}.`);
}

function exampleOf(kind: FieldKind): string {
  return kind.kind === "word" ? (kind.words[0] ?? "") : "VALUE";
}

function checkWord(field: string, words: readonly string[], value: string): void {
  if (words.includes(value)) return;
  const near = nearest(value, words);
  const guess = near === undefined ? "" : `Did you mean ${near}? `;
  const hint = `${guess}${field} is one of ${words.join(", ")}.`;
  throw bad(`there is no ${field} ${JSON.stringify(value)}`, hint);
}

// ── reading ──────────────────────────────────────────────────────────────────────────────

class FilterReader {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get over(): boolean {
    return this.at >= this.text.length;
  }

  startsWith(text: string): boolean {
    return this.text.startsWith(text, this.at);
  }

  take(text: string): boolean {
    if (!this.startsWith(text)) return false;
    this.at += text.length;
    return true;
  }

  skipSpace(): void {
    this.#match(/\s*/y);
  }

  /** Names of labels may have a colon in them: what ends those is "=". */
  name(isLabel: boolean): string {
    return this.#match(isLabel ? /[^\s=<>!"]*/y : /[^\s:=<>!",]*/y);
  }

  sign(): string {
    return this.#match(/[:=<>]?/y);
  }

  values(field: string): string[] {
    const values: string[] = [];
    do {
      if (values.length === limits.filterValuesMax) {
        throw bad(`${field} has more than ${limits.filterValuesMax} values`, "Ask for less.");
      }
      values.push(this.value());
    } while (this.take(","));
    this.endTerm();
    return values;
  }

  endTerm(): void {
    if (!this.over && !/\s/.test(this.text[this.at] ?? "")) throw this.#stray();
  }

  /** "" is said by "". */
  value(): string {
    if (!this.startsWith('"')) {
      const bare = this.#match(/[^\s,"]+/y);
      if (bare !== "") return bare;
      throw bad("a value is missing", 'Write NAME:VALUE; for an empty value, NAME:"".');
    }
    const quoted = this.#match(/"(?:[^"\\]|\\.)*"/sy);
    try {
      const value: unknown = JSON.parse(quoted);
      if (typeof value === "string") return value;
    } catch {
      // Said below, in words that fit a filter.
    }
    throw bad("a quoted value is no JSON string", 'Write "…" with \\" and \\\\ for " and \\.');
  }

  #stray(): SkeinError {
    const rest = JSON.stringify(this.text.slice(this.at, this.at + 20));
    return bad(`${rest} follows a value`, "Put a space between terms, and quotes around a value.");
  }

  /** What the pattern (sticky, and never failing) finds here. */
  #match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const [found = ""] = pattern.exec(this.text) ?? [];
    this.at += found.length;
    return found;
  }
}

const unitMs: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
};
const duration = /^(?:\d{1,12}(?:\.\d{1,6})?(?:ms|[dhms]))+$/;
const isoTime =
  /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

function momentOf(field: string, value: string, now: number): number {
  if (duration.test(value)) {
    let ago = 0;
    for (const [, number, unit] of value.matchAll(/([\d.]+)(ms|[dhms])/g)) {
      ago += Number(number) * (unitMs[unit ?? ""] ?? 0);
    }
    // Longer ago than there are dates is since ever.
    return Math.max(0, now - Math.round(ago));
  }
  const at = isoTime.test(value) ? Date.parse(value) : NaN;
  if (Number.isFinite(at)) return at;
  const hint = "Write 90s, 2h, 7d or 1h30m (so long ago), or 2026-11-21T00:00:00Z.";
  throw bad(`${field}: ${JSON.stringify(value)} is neither a duration nor a time`, hint);
}

function bad(why: string, hint: string): SkeinError {
  return new SkeinError("bad_request", `filter: ${why}.`, {
    hint,
    fields: [{ pointer: "/filter", detail: why }],
  });
}

/** The word that is meant, if one is near enough: a third of its letters may be wrong. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase().slice(0, 64);
  const [best] = known
    .map((name) => ({ name, far: distance(lower, name.toLowerCase()) }))
    .filter(({ name, far }) => far <= Math.ceil(name.length / 3))
    .toSorted((a, b) => a.far - b.far);
  return best?.name;
}

/** How many letters must be changed, added or left out to make one of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const [left = 0, above = 0, corner = 0] = [next[j - 1], row[j], row[j - 1]];
      next.push(Math.min(left + 1, above + 1, corner + same));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

// ── writing and matching ─────────────────────────────────────────────────────────────────

/** A term as it stands in a filter: of a field, or of a label where the field begins with "label.". */
export function isTerm(field: string, ...values: readonly string[]): string {
  const sign = field.startsWith(labelPrefix) ? "=" : ":";
  return `${field}${sign}${values.map(valueText).join(",")}`;
}

function valueText(value: string): string {
  return value !== "" && !/[\s,"]/.test(value) ? value : JSON.stringify(value);
}

export function filterText(terms: readonly Term[]): string {
  return terms
    .map((term) => {
      const sign = term.not ? "!" : "";
      if (term.kind === "is") return sign + isTerm(term.field, ...term.values);
      const than = term.kind === "after" ? ">" : "<";
      return `${sign}${term.field}${than}${new Date(term.at).toISOString()}`;
    })
    .join(" ");
}

/** Whether all terms hold; `valueOf` gives what a field has: moments as ms, null where there is nothing. */
export function holds(
  terms: readonly Term[],
  valueOf: (field: string) => string | number | null | undefined,
): boolean {
  return terms.every((term) => termHolds(term, valueOf(term.field) ?? null) !== term.not);
}

function termHolds(term: Term, value: string | number | null): boolean {
  if (value === null) return false;
  if (term.kind === "is") return term.values.includes(String(value));
  return term.kind === "after" ? Number(value) > term.at : Number(value) < term.at;
}

/** The value of the label that a field names: no label is named "constructor" unless one is. */
export function labelOf(
  labels: Readonly<Record<string, string>>,
  field: string,
): string | undefined {
  const name = field.slice(labelPrefix.length);
  return Object.hasOwn(labels, name) ? labels[name] : undefined;
}

// Pages of jobs with exact totals (R6), from what was flushed. Inside the thread only.
//
// What most people ask by (state, one queue, one label) has its tag: a page is one short scan for each state, the
// total a sum of counts (N1 in archive-jobs.ts). Anything else looks at one index that holds all that is asked by,
// and at the tags of the labels named; rows themselves are read for the page alone.

import { labelPrefix } from "../../protocol/filter.ts";
import type { IsTerm, Term } from "../../protocol/filter.ts";
import type { Connection } from "./archive-connection.ts";
import { finalStates } from "./archive-wire.ts";
import type { FinalState, JobsQuery } from "./archive.ts";

export interface NumbersPage {
  readonly numbers: readonly number[];
  readonly total: number;
}

type Value = string | number;

export class JobLists {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  page(query: JobsQuery): NumbersPage {
    const asked = { ...query, limit: Math.max(0, Math.min(query.limit, 1_000)) };
    const tag = tagOf(query.terms);
    return tag === undefined ? this.#look(asked) : this.#ofTag(tag, asked);
  }

  #ofTag(name: string, { limit, order, beyond, states }: JobsQuery): NumbersPage {
    const { db } = this.#connection;
    const sql = "SELECT id, n0, n1, n2, n3 FROM tags WHERE name = ?";
    const tag = db.prepare(sql).get(name) as Record<string, number> | undefined;
    if (!tag) return { numbers: [], total: 0 };
    const [than, direction] = order === "newest" ? ["<", "DESC"] : [">", "ASC"];
    const tagged = db.prepare(
      `SELECT number FROM tagged WHERE tag = ? AND state = ? AND number ${than} ? ` +
        `ORDER BY number ${direction} LIMIT ?`,
    );
    const from = beyond ?? (order === "newest" ? Number.MAX_SAFE_INTEGER : -1);
    let total = 0;
    const numbers: number[] = [];
    for (const state of stateNumbers(states)) {
      const count = tag[`n${state}`] ?? 0;
      total += count;
      if (count === 0) continue;
      const rows = tagged.all(tag["id"] ?? 0, state, from, limit) as { number: number }[];
      for (const { number } of rows) numbers.push(number);
    }
    numbers.sort((a, b) => (order === "newest" ? b - a : a - b));
    return { numbers: numbers.slice(0, limit), total };
  }

  #look({ limit, order, beyond, states, terms }: JobsQuery): NumbersPage {
    const where = ["retired < 2"];
    const values: Value[] = [];
    if (states !== undefined) where.push(`state IN (${stateNumbers(states).join(", ")})`);
    for (const term of terms) {
      const { sql, values: more } = condition(term);
      where.push(term.not ? `NOT ${sql}` : sql);
      values.push(...more);
    }
    const { db } = this.#connection;
    const from = `FROM jobs INDEXED BY jobs_listed WHERE ${where.join(" AND ")}`;
    const count = db.prepare(`SELECT count(*) AS total ${from}`).get(...values);
    const { total } = count as { total: number };
    if (total === 0) return { numbers: [], total };
    const [than, direction] = order === "newest" ? ["<", "DESC"] : [">", "ASC"];
    const page = db.prepare(
      `SELECT number ${from}${beyond === undefined ? "" : ` AND number ${than} ?`} ` +
        `ORDER BY number ${direction} LIMIT ?`,
    );
    const rows = page.all(...values, ...(beyond === undefined ? [] : [beyond]), limit);
    return { numbers: (rows as { number: number }[]).map(({ number }) => number), total };
  }
}

/** The tag that says all of the terms; undefined where none does. */
function tagOf(terms: readonly Term[]): string | undefined {
  let queue: string | undefined;
  let label: string | undefined;
  for (const term of terms) {
    const [value] = term.kind === "is" ? term.values : [];
    if (term.kind !== "is" || term.not || term.values.length > 1) return undefined;
    if (term.field === "queue" && queue === undefined) queue = value;
    else if (term.field.startsWith(labelPrefix) && label === undefined)
      label = labelText(term, value);
    else return undefined;
  }
  return tagName(queue, label);
}

function labelText({ field }: IsTerm, value = ""): string {
  return `${field.slice(labelPrefix.length)}=${value}`;
}

/** What jobs are found by together: a queue, a label, both, or nothing but their state. */
export function tagName(queue: string | undefined, label: string | undefined): string {
  if (queue === undefined && label === undefined) return "";
  return `${queue ?? ""}\n${label ?? ""}`;
}

const columnOf: Readonly<Record<string, string>> = {
  queue: "queue",
  task: "task",
  by: "principal",
  created: "created",
  ended: "ended",
};

/** What holds as 1 and else is 0, never null: so that NOT is the opposite (F2). */
function condition(term: Term): { readonly sql: string; readonly values: readonly Value[] } {
  const column = columnOf[term.field];
  if (term.kind !== "is") {
    const than = term.kind === "after" ? ">" : "<";
    // A column that may be null is asked in a way that no index helps; `created` never is.
    const sql = column === "created" ? `(created ${than} ?)` : `ifnull(${column} ${than} ?, 0)`;
    return { sql, values: [term.at] };
  }
  const marks = term.values.map(() => "?").join(", ");
  if (column !== undefined) return { sql: `(${column} IN (${marks}))`, values: term.values };
  const named = `SELECT id FROM tags WHERE name IN (${marks})`;
  return {
    // The plus: by this index, not by its own.
    sql: `(+number IN (SELECT number FROM tagged WHERE tag IN (${named})))`,
    values: term.values.map((value) => tagName(undefined, labelText(term, value))),
  };
}

function stateNumbers(states: readonly (FinalState | "unfinished")[] | undefined): number[] {
  if (states === undefined) return [0, 1, 2, 3];
  const numbers = states.map((state) =>
    state === "unfinished" ? 0 : 1 + finalStates.indexOf(state),
  );
  return [...new Set(numbers)];
}

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SkeinError } from "./errors.ts";
import { filterFields } from "./filter-fields.ts";
import type { FieldKind, FilterResource } from "./filter-fields.ts";
import { filterText, holds, isTerm, nearest, parseFilter } from "./filter.ts";
import type { Term } from "./filter.ts";
import { limits } from "./limits.ts";

const now = Date.parse("2026-11-21T12:00:00Z");
const parse = (filter: string, resource: FilterResource = "jobs") =>
  parseFilter(resource, filter, now);

function refusal(filter: string, resource: FilterResource = "jobs"): string {
  try {
    parse(filter, resource);
  } catch (error) {
    if (error instanceof SkeinError) return `${error.code} ${error.message} ${error.hint}`;
    throw error;
  }
  return "accepted";
}

describe("a filter", () => {
  it("has terms with spaces between, and is empty or absent for everything", () => {
    expect(parse("  state:failed   queue:film ")).toEqual([
      { kind: "is", field: "state", not: false, values: ["failed"] },
      { kind: "is", field: "queue", not: false, values: ["film"] },
    ]);
    expect(parse("")).toEqual([]);
    expect(parseFilter("jobs", undefined, now)).toEqual([]);
  });

  it("takes any of several values, and their opposite", () => {
    expect(parse("!state:failed,cancelled")).toEqual([
      { kind: "is", field: "state", not: true, values: ["failed", "cancelled"] },
    ]);
  });

  it("takes labels whose names have colons and dots, and values with spaces and commas", () => {
    expect(parse('label.a:b.c=x label.team="one, two"')).toEqual([
      { kind: "is", field: "label.a:b.c", not: false, values: ["x"] },
      { kind: "is", field: "label.team", not: false, values: ["one, two"] },
    ]);
    expect(parse('label.empty=""')).toMatchObject([{ values: [""] }]);
  });

  it("reads a duration as so long ago, and a time as it stands", () => {
    expect(parse("created>2h ended<1h30m created<2026-11-21T00:00:00Z")).toEqual([
      { kind: "after", field: "created", not: false, at: now - 7_200_000 },
      { kind: "before", field: "ended", not: false, at: now - 5_400_000 },
      { kind: "before", field: "created", not: false, at: Date.parse("2026-11-21T00:00:00Z") },
    ]);
    expect(parse("created>999999999999d")).toMatchObject([{ at: 0 }]);
  });
});

describe("a filter is refused that", () => {
  it.each([
    ["statte:failed", 'no field "statte" here', "Did you mean state?"],
    ["owner:ana", 'no field "owner" here', "Fields here: state, queue, task, label.NAME, by"],
    ["state:faild", 'no state "faild"', "Did you mean failed?"],
    ["state", '"state" has no value', "Write state:open."],
    ["state=failed", 'takes ":", not "="', "Write state:open."],
    ["label:team", 'no field "label" here', "Did you mean label.NAME=?"],
    ["label.=x", "a label has a name", "label.team=film"],
    ["label.team:x", "has no value", "label.team=film"],
    ["created>soon", '"soon" is neither a duration nor a time', "1h30m"],
    ["created>2 h", "is neither a duration nor a time", "90s"],
    ["created:2h", "created is a time", "created>2h"],
    ["created>2026-13-40", "is neither a duration nor a time", ""],
    ["created>2h,3h", '",3h" follows a value', ""],
    ["queue:a,", "a value is missing", ""],
    ['queue:"a', "a quoted value is no JSON string", ""],
    ['queue:"a"b', '"b" follows a value', ""],
    [":failed", '":failed" does not begin with a field', ""],
    ["!", '"!" does not begin with a field', ""],
    ["!!state:failed", "does not begin with a field", ""],
    ["<script>", "does not begin with a field", ""],
    ["__proto__:x", 'no field "__proto__" here', ""],
    ["constructor:x", 'no field "constructor" here', ""],
  ])("says %s", (filter, why, hint) => {
    const text = refusal(filter);
    expect(text).toContain("bad_request filter: ");
    expect(text).toContain(why);
    expect(text).toContain(hint);
  });

  it("is too long, or has too many terms or values", () => {
    expect(refusal("x".repeat(limits.filterCharsMax + 1))).toContain("at most 2,000");
    expect(refusal("queue:a ".repeat(limits.filterTermsMax + 1))).toContain("more than 32 terms");
    const values = Array.from({ length: limits.filterValuesMax + 1 }, (_, i) => i).join();
    expect(refusal(`queue:${values}`)).toContain("more than 64 values");
  });
});

const value = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom("a b", '"', ",", "\\", "‮é🙂"));
const termOf = ([field, kind]: [string, FieldKind]): fc.Arbitrary<Term> => {
  const not = fc.boolean();
  if (kind.kind === "time") {
    const at = fc.integer({ min: 0, max: 4_000_000_000_000 });
    return fc.record({
      kind: fc.constantFrom("after", "before"),
      field: fc.constant(field),
      not,
      at,
    });
  }
  const name =
    kind.kind === "labels"
      ? fc.stringMatching(/^[\w.:@#-]{1,9}$/).map((label) => `label.${label}`)
      : fc.constant(field);
  const one = kind.kind === "word" ? fc.constantFrom(...kind.words) : value;
  const values = fc.array(one, { minLength: 1, maxLength: 4 });
  return fc.record({ kind: fc.constant("is" as const), field: name, not, values });
};
const jobTerm = fc.oneof(...Object.entries(filterFields.jobs).map(termOf));

describe("for all filters", () => {
  it("what is written is read as the same", () => {
    fc.assert(
      fc.property(fc.array(jobTerm, { maxLength: 6 }), (terms) => {
        expect(parse(filterText(terms))).toEqual(terms);
      }),
    );
  });

  it("whatever is sent is read or refused with a reason, never more", () => {
    const piece = fc.constantFrom(
      "state",
      ":",
      "failed",
      "label.",
      "=",
      ">",
      "2h",
      "!",
      '"',
      ",",
      " ",
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 12 }).map((all) => all.join("")),
    );
    const resource = fc.constantFrom(...(Object.keys(filterFields) as FilterResource[]));
    fc.assert(
      fc.property(text, resource, (filter, of) => {
        expect(refusal(filter, of)).toMatch(/^(accepted|bad_request filter: .+\. .+)$/s);
      }),
      { numRuns: 1_000 },
    );
  });

  it("of a term and its opposite exactly one holds, for every item", () => {
    const has = fc.option(fc.oneof(value, fc.integer({ min: 0, max: 4_000_000_000_000 })));
    fc.assert(
      fc.property(jobTerm, has, (term, it) => {
        const opposite = { ...term, not: !term.not };
        expect(holds([term], () => it)).not.toBe(holds([opposite], () => it));
      }),
    );
  });

  it("more terms hold for fewer items", () => {
    fc.assert(
      fc.property(jobTerm, jobTerm, value, (a, b, it) => {
        expect(holds([a, b], () => it)).toBe(holds([a], () => it) && holds([b], () => it));
      }),
    );
  });
});

it("a value is quoted when it must be", () => {
  expect([isTerm("queue", "film", "a b"), isTerm("label.x", "")]).toEqual([
    'queue:film,"a b"',
    'label.x=""',
  ]);
});

it("a word is taken for another only when they are near", () => {
  expect([nearest("lable", ["label", "state"]), nearest("owner", ["label", "state"])]).toEqual([
    "label",
    undefined,
  ]);
});

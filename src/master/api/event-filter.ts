// Filters of the timeline.

import { SkeinError } from "../../protocol/errors.ts";
import type { TimelineTerm } from "../archive/archive.ts";

const fields = ["kind", "job", "worker", "queue", "master"];

export function eventTerms(filter: string | undefined, _now: number): readonly TimelineTerm[] {
  return (filter ?? "").split(" ").flatMap((word) => {
    if (word === "") return [];
    const [, not, field = "", values = ""] = /^(!?)(\w+):(.+)$/.exec(word) ?? [];
    if (!fields.includes(field)) throw new SkeinError("bad_request", `filter: "${word}"`);
    return [{ kind: "is", field, not: not === "!", values: values.split(",") }];
  });
}

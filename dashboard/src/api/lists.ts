// A page of a list, as the master is asked for it.

import { valuesOf, termsOf } from "./filter.ts";

export interface ListQuery {
  readonly limit: number;
  readonly cursor?: string;
  readonly state?: string;
  readonly queue?: string;
  readonly label?: string;
}

/** The filter's terms as the parameters that lists take. */
export function listQuery(filter: string, limit: number, cursor: string | undefined): ListQuery {
  const state = valuesOf(filter, "state").join(",");
  const [queue = ""] = valuesOf(filter, "queue");
  const label = termsOf(filter).find(({ name }) => name.startsWith("label."));
  return {
    limit,
    ...(cursor === undefined ? {} : { cursor }),
    ...(state === "" ? {} : { state }),
    ...(queue === "" ? {} : { queue }),
    ...(label ? { label: label.text.replace(/^label\./, "") } : {}),
  };
}

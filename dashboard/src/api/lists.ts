// A page of a list, as the master is asked for it: the filter as it stands in the address, which the master reads.

import { SkeinError } from "../../../src/client/index.ts";

export interface ListQuery {
  readonly limit: number;
  readonly cursor?: string;
  readonly filter?: string;
}

export function listQuery(filter: string, limit: number, cursor: string | undefined): ListQuery {
  return {
    limit,
    ...(cursor === undefined ? {} : { cursor }),
    ...(filter.trim() === "" ? {} : { filter }),
  };
}

/** The question is wrong, and stays so: it is not asked again until it is another one. */
export function isRefused(error: unknown): error is SkeinError {
  return error instanceof SkeinError && error.code === "bad_request";
}

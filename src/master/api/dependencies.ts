// Jobs that a submit waits for: prefixes become ids, and those that have ended are named with how they did,
// since they may leave the state before the submit is decided.

import { SkeinError } from "../../protocol/errors.ts";
import type { Dependency } from "../../protocol/model.ts";
import type { ApiContext } from "./handlers.ts";
import { findJob, seeJob } from "./lookup.ts";

export interface ResolvedAfter {
  readonly after: readonly Dependency[];
  /** Ended jobs: id → how. */
  readonly archived: ReadonlyMap<string, string>;
}

export async function resolveAfter(
  context: ApiContext,
  dependencies: readonly Dependency[],
): Promise<ResolvedAfter> {
  const archived = new Map<string, string>();
  const after: Dependency[] = [];
  for (const { job: ref, mode } of dependencies) {
    const { id, ended } = await upstream(context, ref);
    after.push({ job: id, mode });
    if (ended !== "") archived.set(id, ended);
  }
  return { after, archived };
}

async function upstream(
  context: ApiContext,
  ref: string,
): Promise<{ readonly id: string; readonly ended: string }> {
  try {
    const number = await findJob(context, ref);
    return await seeJob(
      context,
      number,
      ({ id, ended }) => ({ id, ended: ended as string }),
      ({ id, state }) => ({ id, ended: state ?? "" }),
    );
  } catch (error) {
    if (!(error instanceof SkeinError) || error.code !== "not_found") throw error;
    throw new SkeinError("unknown_dependency", `The job it waits for, ${ref}, does not exist.`);
  }
}

// GET …/errors: what went wrong in a job, errors that are alike together. Failed attempts that were tried again count.

import type { ErrorGroupsView } from "../../protocol/picture-views.ts";
import { iso } from "../views.ts";
import type { ApiContext, Call } from "./handlers.ts";
import { checkArchived, findJob } from "./lookup.ts";

/** What one answer may cost: some tens of milliseconds of the archive's thread. */
const lookMax = 50_000;

export async function errors(context: ApiContext, call: Call<"errors">): Promise<ErrorGroupsView> {
  const job = await findJob(context, call.params.job);
  await checkArchived(context, job);
  const { groups, looked, complete } = await context.master.archive.errors(job, lookMax);
  return {
    groups: groups.map(({ first, ...group }) => {
      const { task, attempt, worker, at } = first;
      return { ...group, first: { task, attempt, worker, at: iso(at) ?? "" } };
    }),
    looked,
    partial: complete ? null : `Only the first ${looked} failed attempts were looked at.`,
  };
}

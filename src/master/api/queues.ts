// Queues: named lines that jobs wait in.

import { SkeinError } from "../../protocol/errors.ts";
import { holds } from "../../protocol/filter.ts";
import type { QueueSettings } from "../../protocol/model.ts";
import type { QueueDetailView, QueueView } from "../../protocol/views.ts";
import { ask, look } from "../context.ts";
import { queueView } from "../views.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { pageOf, readListing } from "./list-query.ts";

/** By code units: the order must not depend on where the master runs. */
export async function queues(
  { master, clock }: ApiContext,
  { query }: Call<"queues">,
): Promise<Answer<"queues">> {
  const scope = { resource: "queues", wall: clock.wall(), place: /^.{1,128}$/s } as const;
  const listing = readListing(query, scope);
  return look(master, (state) => {
    const fitting = [...state.queues.values()]
      .filter(({ paused }) => holds(listing.terms, () => (paused ? "paused" : "open")))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return pageOf(fitting, listing, {
      isAfter: ({ name }, place) => name > place,
      placeOf: ({ name }) => name,
      view: queueView,
    });
  });
}

export async function queue(
  { master }: ApiContext,
  { params }: Call<"queue">,
): Promise<QueueDetailView> {
  return look(master, (state, time) => {
    const found = state.queues.get(params.queue);
    if (!found) throw noSuchQueue(params.queue);
    const ready = [...state.classes.values()]
      .filter((one) => one.queue === found.name && one.ready > 0)
      .map(({ shape, priority, ready: tasks, headSince }) => ({
        needs: shape,
        priority,
        tasks,
        idleMs: headSince < 0 ? 0 : Math.max(0, time - headSince),
      }));
    const { by, namespace, used } = found;
    return { ...queueView(found), by, namespace, used: Object.fromEntries(used), ready };
  });
}

function noSuchQueue(name: string): SkeinError {
  return new SkeinError("not_found", `There is no queue ${name}.`, {
    hint: "`skein queue list` shows them; a queue begins with its first job.",
  });
}

export async function setQueue(
  { master }: ApiContext,
  { params, body }: Call<"setQueue">,
): Promise<QueueView> {
  const { paused, pausedReason = "", ...settings } = body;
  await ask(master, {
    kind: "setQueue",
    name: params.queue,
    namespace: "default",
    by: "token",
    settings: given(settings),
    paused: paused ?? null,
    pausedReason,
  });
  const view = await look(master, (state) => {
    const queue = state.queues.get(params.queue);
    return queue && queueView(queue);
  });
  if (view) return view;
  throw noSuchQueue(params.queue);
}

/** Without the fields that were not sent: they keep their values. */
function given(settings: {
  readonly [Key in keyof QueueSettings]?: number | undefined;
}): Partial<QueueSettings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

// The stream of events: rows of the timeline, each once and in order over any number of masters and cut connections, and
// latest values beside them. See docs/events.md.

import type { ChangedView, EventView, JobView, ResetView, TickView } from "../protocol/views.ts";
import type { OverviewBrief } from "../protocol/picture-views.ts";
import { resume } from "./streams.ts";
import type { StreamOptions } from "./streams.ts";
import type { TransportResponse } from "./transport.ts";

/** What each kind of message carries. */
export interface ClusterEventData {
  timeline: EventView;
  overview: OverviewBrief;
  job: JobView;
  jobs: ChangedView;
  workers: ChangedView;
  queues: ChangedView;
  masters: ChangedView;
  /** Each second. */
  tick: TickView;
  /** What was missed cannot be told: ask the lists anew. */
  reset: ResetView;
}

export type ClusterEvent = {
  readonly [Kind in keyof ClusterEventData]: {
    readonly event: Kind;
    readonly data: ClusterEventData[Kind];
    /** The position to go on from, on messages that move it. */
    readonly id?: string;
  };
}[keyof ClusterEventData];

export interface EventsOptions extends StreamOptions {
  /** timeline (unless set), overview, jobs, job:ID, workers, queues, masters. */
  readonly topics?: readonly string[] | undefined;
  /** The `id` of an event: what came after it is told. From now unless set. */
  readonly after?: string | undefined;
}

export interface EventsPlace {
  readonly after: string | undefined;
  /** Which the position is of. */
  readonly journal: string | undefined;
}

export function clusterEvents(
  open: (place: EventsPlace) => Promise<TransportResponse>,
  options: EventsOptions,
): AsyncGenerator<ClusterEvent, void, undefined> {
  let { after } = options;
  let journal: string | undefined;
  return resume({
    open: () => open({ after, journal }),
    signal: options.signal,
    reader: () => {
      const messages = new MessageReader();
      return {
        *push(chunk) {
          for (const message of messages.push(chunk)) {
            after = message.id ?? after;
            if (message.event === "tick") journal = message.data.journal;
            yield message;
          }
        },
        // A master that stops ends its streams: another one goes on.
        done: () => false,
      };
    },
  });
}

/** Cuts messages out of chunks as they arrive. */
class MessageReader {
  readonly #decoder = new TextDecoder();
  #rest = "";

  *push(chunk: Uint8Array): Generator<ClusterEvent> {
    const pieces = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n\n");
    this.#rest = pieces.pop() ?? "";
    for (const piece of pieces) {
      const message = parse(piece);
      if (message) yield message;
    }
  }
}

function parse(text: string): ClusterEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf(": ");
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 2));
  }
  const [event, data, id] = [fields.get("event"), fields.get("data"), fields.get("id")];
  if (event === undefined || data === undefined) return undefined;
  // The master is trusted in what it says; a kind that is new is handed on as it is.
  return {
    event,
    data: JSON.parse(data) as unknown,
    ...(id !== undefined && { id }),
  } as ClusterEvent;
}

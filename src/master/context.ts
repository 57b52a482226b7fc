// What the API's handlers work with: the running master as they see it.

import type { AnswerOf, Request } from "../core/machine.ts";
import type { Refusal } from "../core/refusal.ts";
import type { State } from "../core/state.ts";
import type { Journal } from "../journal/journal.ts";
import type { Log } from "../lib/log.ts";
import type { PayloadStore } from "../payloads/payload-store.ts";
import { SkeinError } from "../protocol/errors.ts";
import type { Archive } from "./archive/archive.ts";
import type { Hub } from "./hub.ts";
import type { LoopIdentity } from "./loop-ports.ts";
import type { Loop } from "./loop.ts";
import type { LogRelay } from "./log-relay.ts";
import type { KeptLogs } from "./logs/kept-logs.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { PayloadCopies } from "./payload-copies.ts";
import type { PeersView } from "./peers.ts";
import type { PeerFiles } from "./peer-files.ts";
import type { Series } from "./series.ts";
import type { Sessions } from "./sessions.ts";

export interface Master {
  /** `addresses` are known once the API listens. */
  readonly identity: LoopIdentity & { readonly addresses: string[] };
  readonly version: string;
  readonly token: string;
  readonly journal: Journal;
  readonly loop: Loop;
  readonly leadership: LeadershipView;
  readonly peers: PeersView;
  readonly archive: Archive;
  readonly payloads: PayloadStore;
  /** The same payloads, as other masters have them (A1). */
  readonly copies: PayloadCopies;
  /** For masters that start anew (A6). */
  readonly files: PeerFiles;
  readonly hub: Hub;
  readonly sessions: Sessions;
  /** From the workers that ran them. */
  readonly logs: LogRelay;
  readonly series: Series;
  /** What workers have pushed. */
  readonly keptLogs: KeptLogs;
  readonly metrics: Metrics;
  readonly log: Log;
  /** It was told to stop: nobody new is to be sent here. */
  isLeaving: boolean;
  readonly startedWall: number;
  readonly settings: MasterSettings;
  /** Bytes and shares of journal and disk, as of a second ago at most (J7). */
  readonly usage: () => Usage;
}

/** What the API asks of the part that stands for election and resigns. */
export interface LeadershipView {
  /** Gives the lead to that standby, or to any; `done` is called when that is durable, or refused. */
  stepDown(to: string | null, done: (answer: { readonly ok: true } | Refusal) => void): void;
  /** How old this master's state may be, in ms (L5). */
  newsAgeMs(): number;
  /** Address of the other master that leads, while there is fresh news of it. */
  leaderElsewhere(): string | undefined;
  /** Whether a leader that is stopped but not dead is got rid of; true unless told. */
  survivesStopped?(): boolean;
}

export interface MasterSettings {
  readonly strictQueues: boolean;
  /** Host header values that are let in (D1), without ports: "127.0.0.1", "localhost", "[::1]" … */
  readonly allowedHosts: readonly string[];
}

export interface Usage {
  readonly journalBytes: number;
  /** 0 to 1: of the engine's quota or the disk, whichever is nearer. */
  readonly share: number;
}

export type Accepted<A> = Exclude<A, Refusal>;

/** Resolves once the decision is durable; rejects with the refusal as a SkeinError. */
export function ask<R extends Request>(
  master: Pick<Master, "loop">,
  request: R,
  bytes = 256,
): Promise<Accepted<AnswerOf<R>>> {
  return new Promise((resolve, reject) => {
    master.loop.request(request, bytes, (answer) => {
      if (answer.ok) resolve(answer as Accepted<AnswerOf<R>>);
      else reject(toError(answer));
    });
  });
}

/** Looks at the state; resolves once all that was seen is durable. `look` must copy what it returns. */
export function look<T>(
  master: Pick<Master, "loop">,
  see: (state: State, time: number) => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    master.loop.read(
      (state, time) => {
        try {
          return { ok: true as const, value: see(state, time) };
        } catch (error) {
          return { ok: false as const, error };
        }
      },
      (seen) => (seen.ok ? resolve(seen.value) : reject(seen.error as Error)),
    );
  });
}

export function toError(refusal: Refusal): SkeinError {
  return new SkeinError(refusal.code, refusal.message, {
    ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
    ...(refusal.retryAfter === undefined ? {} : { retryAfter: refusal.retryAfter }),
    ...(refusal.leader === undefined ? {} : { leader: refusal.leader }),
  });
}

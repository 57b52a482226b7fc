// apply: the only writer of the state. A pure, synchronous fold over entries; it never refuses, never
// decides, never reads a clock (design.md, "the core's law").

import type { Effect } from "./effect.ts";
import type { Entry } from "./entry.ts";
import { unreachable } from "./invariants.ts";
import type { State } from "./state.ts";
import { applyRetired } from "./commands/end-job.ts";
import { applyKeysForgotten } from "./commands/keys.ts";
import { applyLeading } from "./commands/lead.ts";
import { applyForgotten, applyPayloadsFreed } from "./commands/payloads.ts";
import { applyQueueSet } from "./commands/queue.ts";
import {
  applyAttemptFailed,
  applyOutcomes,
  applyReleased,
  applyReported,
  applyUnassigned,
} from "./commands/report.ts";
import { applyJobStopping, applySwept, applyWoken } from "./commands/stop.ts";
import { applyJobClosed, applyJobCreated, applyPartAdded } from "./commands/submit.ts";
import {
  applyBraked,
  applyWorkerChanged,
  applyWorkerLost,
  applyWorkerRegistered,
} from "./commands/worker.ts";
import { applyWorkerForgotten } from "./commands/forget-worker.ts";
import { applyAssigned, applyReserved } from "./placement/assign.ts";

export function apply(state: State, entry: Entry, effects: Effect[]): void {
  switch (entry.kind) {
    case "jobCreated":
      return applyJobCreated(state, entry, effects);
    case "partAdded":
      return applyPartAdded(state, entry, effects);
    case "jobClosed":
      return applyJobClosed(state, entry, effects);
    case "jobStopping":
      return applyJobStopping(state, entry, effects);
    case "swept":
      return applySwept(state, entry, effects);
    case "woken":
      return applyWoken(state, entry);
    case "retired":
      return applyRetired(state, entry, effects);
    case "forgotten":
      return applyForgotten(state, entry, effects);
    case "assigned":
      return applyAssigned(state, entry, effects);
    case "outcomes":
      return applyOutcomes(state, entry, effects);
    case "attemptFailed":
      return applyAttemptFailed(state, entry, effects);
    case "released":
      return applyReleased(state, entry);
    case "unassigned":
      return applyUnassigned(state, entry, effects);
    case "reported":
      return applyReported(state, entry, effects);
    case "workerRegistered":
      return applyWorkerRegistered(state, entry, effects);
    case "workerChanged":
      return applyWorkerChanged(state, entry, effects);
    case "workerLost":
      return applyWorkerLost(state, entry, effects);
    case "workerForgotten":
      return applyWorkerForgotten(state, entry);
    case "braked":
      return applyBraked(state, entry, effects);
    case "reserved":
      return applyReserved(state, entry);
    case "queueSet":
      return applyQueueSet(state, entry, effects);
    case "keysForgotten":
      return applyKeysForgotten(state, entry);
    case "payloadsFreed":
      return applyPayloadsFreed(state, entry, effects);
    case "elected":
    case "masterJoined":
    case "masterLeft":
    case "resigned":
    case "featureLevel":
    case "snapshotTaken":
    case "trimmed":
      return applyLeading(state, entry, effects);
    case "renewed":
    case "digest":
      return;
    default:
      return unreachable(entry);
  }
}

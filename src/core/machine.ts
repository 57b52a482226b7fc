// decide: one request against the state, in the turn's time. It emits the entries that follow, or refuses.

import { cancelJob, cancelTask } from "./commands/stop.ts";
import type { CancelJobRequest, CancelTaskRequest } from "./commands/stop.ts";
import { freePayloads } from "./commands/payloads.ts";
import type { FreePayloadsRequest } from "./commands/payloads.ts";
import { setQueue } from "./commands/queue.ts";
import type { SetQueueRequest } from "./commands/queue.ts";
import { report } from "./commands/report.ts";
import type { ReportRequest } from "./commands/report.ts";
import { close, part, submit } from "./commands/submit.ts";
import type { CloseRequest, PartRequest, SubmitRequest } from "./commands/submit.ts";
import { forgetWorker } from "./commands/forget-worker.ts";
import type { ForgetWorkerRequest } from "./commands/forget-worker.ts";
import { drain, lose, register, workerNews } from "./commands/worker.ts";
import type {
  DrainRequest,
  LoseWorkerRequest,
  RegisterRequest,
  WorkerNewsRequest,
} from "./commands/worker.ts";
import { forgetMaster, joinMaster, noteSnapshot, trim } from "./commands/lead.ts";
import type {
  ForgetMasterRequest,
  JoinMasterRequest,
  NoteSnapshotRequest,
  TrimRequest,
} from "./commands/lead.ts";
import { unreachable } from "./invariants.ts";
import { settleHeld } from "./reconcile.ts";
import type { SettleHeldRequest } from "./reconcile.ts";
import type { Answer } from "./refusal.ts";
import { apply } from "./apply.ts";
import type { State } from "./state.ts";
import type { Turn } from "./turn.ts";

export type Request =
  | SubmitRequest
  | PartRequest
  | CloseRequest
  | CancelJobRequest
  | CancelTaskRequest
  | SetQueueRequest
  | RegisterRequest
  | ReportRequest
  | WorkerNewsRequest
  | LoseWorkerRequest
  | DrainRequest
  | ForgetWorkerRequest
  | FreePayloadsRequest
  | SettleHeldRequest
  | JoinMasterRequest
  | ForgetMasterRequest
  | NoteSnapshotRequest
  | TrimRequest;

/** A turn on top of the state, in the leader's term and time. */
export function openTurn(state: State, term: number, time: number, wall: number): Turn {
  const index = state.index + 1;
  return { state, index, term, time, wall, entries: [], effects: [], fold: apply };
}

/** What a request may answer, by kind. */
export interface Answers {
  readonly submit: ReturnType<typeof submit>;
  readonly part: ReturnType<typeof part>;
  readonly close: Answer;
  readonly cancelJob: Answer;
  readonly cancelTask: Answer;
  readonly setQueue: Answer;
  readonly register: ReturnType<typeof register>;
  readonly report: Answer;
  readonly workerNews: Answer;
  readonly loseWorker: ReturnType<typeof lose>;
  readonly drain: Answer;
  readonly forgetWorker: Answer;
  readonly freePayloads: ReturnType<typeof freePayloads>;
  readonly settleHeld: Answer;
  readonly joinMaster: Answer;
  readonly forgetMaster: Answer;
  readonly noteSnapshot: Answer;
  readonly trim: Answer;
}

export type AnswerOf<R extends Request> = Answers[R["kind"]];

export function decide<R extends Request>(turn: Turn, request: R): AnswerOf<R>;
export function decide(turn: Turn, request: Request): Answers[Request["kind"]] {
  switch (request.kind) {
    case "submit":
      return submit(turn, request);
    case "part":
      return part(turn, request);
    case "close":
      return close(turn, request);
    case "cancelJob":
      return cancelJob(turn, request);
    case "cancelTask":
      return cancelTask(turn, request);
    case "setQueue":
      return setQueue(turn, request);
    case "register":
      return register(turn, request);
    case "report":
      return report(turn, request);
    case "workerNews":
      return workerNews(turn, request);
    case "loseWorker":
      return lose(turn, request);
    case "drain":
      return drain(turn, request);
    case "forgetWorker":
      return forgetWorker(turn, request);
    case "freePayloads":
      return freePayloads(turn, request);
    case "settleHeld":
      return settleHeld(turn, request);
    case "joinMaster":
      return joinMaster(turn, request);
    case "forgetMaster":
      return forgetMaster(turn, request);
    case "noteSnapshot":
      return noteSnapshot(turn, request);
    case "trim":
      return trim(turn, request);
    default:
      return unreachable(request);
  }
}

/**
 * Typed calls and streams to a Skein cluster, on web platform types only: Node, browsers, other runtimes.
 *
 * @example
 * import { createClient } from "skein/client";
 *
 * const client = createClient({ masters: ["http://127.0.0.1:7420"], token });
 * const job = await client.job("4f2a");
 * for await (const record of client.outcomes(job.id, { follow: true })) …
 */
export { createClient } from "./client.ts";
export type {
  Client,
  ClientOptions,
  LinesSubmit,
  LoginCode,
  LogsOptions,
  OutcomesOptions,
  Page,
  SteppedDown,
  SubmitOptions,
  SubmittedView,
  UncountedPage,
  VersionView,
} from "./client.ts";
export type { CallOptions } from "./calls.ts";
export type { OutcomeEvent } from "./streams.ts";
export type { ClusterEvent, ClusterEventData, EventsOptions } from "./events.ts";
export { addresses } from "./paths.ts";
export { fetchTransport, pageTransport } from "./transport.ts";
export type { Transport, TransportRequest, TransportResponse } from "./transport.ts";
export { SkeinError } from "../protocol/errors.ts";
export type { ErrorCode, ErrorDetails } from "../protocol/errors.ts";
export type { FoundRecord, LogRecord } from "../protocol/log-record.ts";
export { decodeOutcomes, outcomeItem } from "../protocol/outcome-block.ts";
export type { OutcomeColumns, OutcomeItem } from "../protocol/outcome-block.ts";
export type { JobSpecInput, SubmitInput } from "../protocol/job-spec.ts";
export type {
  ErrorGroupsView,
  GridView,
  JobGraphView,
  OverviewView,
  SeriesView,
  StreamView,
} from "../protocol/picture-views.ts";
export type {
  ChangedView,
  EventView,
  BulkView,
  JobView,
  ListedAttemptView,
  MastersView,
  MasterView,
  QueueDetailView,
  QueueView,
  StatusView,
  TaskDetailView,
  TaskView,
  JobLogsView,
  LogLineView,
  WhyView,
  WorkerDetailView,
  WorkerView,
} from "../protocol/views.ts";

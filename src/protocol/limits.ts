// Every bound in the system, with its reason. Sizes in bytes, times in milliseconds.

const kib = 1024;
const mib = 1024 * kib;

export const limits = {
  /** A value of a task that travels and is journaled inline; larger ones are stored by hash (A1). */
  inlineBytesMax: 16 * kib,
  /** One part of a job's inputs, one journal entry (K1): keeps a batch, and the loop, short. */
  partBytesMax: 256 * kib,
  /** One batch: what one fsync carries. */
  batchBytesMax: 1 * mib,
  /** One stored payload: bounded by what a slot can parse in one piece. */
  payloadBytesMax: 512 * mib,
  /** A bundle of user code. */
  bundleBytesMax: 64 * mib,
  /** Tasks of one job: column indexes and counts stay well inside 32 bits. */
  tasksPerJobMax: 10_000_000,
  /** Tasks in one range order or one outcome block: what a slot does in about a millisecond. */
  blockTasksMax: 256,
  /** Tasks that one entry over a range touches, so that no apply takes longer than 5 ms (K7). */
  sliceTasksMax: 10_000,
  /** Orders sent ahead, per slot (W8). */
  aheadPerSlotMax: 1_024,
  /** Measured run time that may be sent ahead, per slot (W8). */
  aheadMs: 100,
  /** Head tasks of a class that placement looks at one by one for keys and nearness (S2). */
  headTasksMax: 64,
  /** A class whose head waited this long reserves the worker that is free soonest (S4). */
  reserveAfterMs: 60_000,
  /** Request bodies held during an election, in all (L9). */
  heldBytesMax: 16 * mib,
  heldMs: 5_000,
  /** A read that asks for a batch waits so long for it at a master that has not applied it (L5). */
  atLeastMs: 5_000,
  /** Addresses that a client knows: told, learned from answers, found in a list of masters. */
  mastersKnownMax: 16,
  /** Requests that wait for one turn of the loop; past it submits are told to come back (P7). */
  inboxBytesMax: 64 * mib,
  /** Estimated bytes of state; past it submits are refused with 429 (P7). */
  stateBytesMax: 2_048 * mib,
  /** Idempotency: requests in flight per client beyond the contiguous ones (K8). */
  clientWindow: 1_024,
  clientForgottenMs: 3_600_000,
  userKeyMs: 24 * 3_600_000,
  userKeysMax: 1_000_000,
  /** An open job whose client is silent this long is closed (K1). */
  openJobSilenceMs: 600_000,
  /** Finished jobs and tasks kept in memory before they are retired to the archive (A2). */
  finishedJobsMax: 1_000,
  finishedTasksMax: 2_000_000,
  finishedMs: 24 * 3_600_000,
  /** A stored payload that nothing names any more is freed after this long. */
  payloadGraceMs: 600_000,
  /** Worker deaths that one task may cause, by different workers, before it is poison (W9). */
  deathsMax: 3,
  /** Worker sessions (W4, W5, W10). */
  suspectAfterMs: 3_000,
  lostAfterMs: 15_000,
  exitDialMs: 300,
  /**
   * A worker without a session for this long is dialled, again and again: it may have died with no master near. One
   * that lives answers however late it comes back, since its port is open until its process ends.
   */
  confirmExitMs: 1_000,
  /** A worker that gave work back unasked is sent none for this long: it would come back at once. */
  returnedRestMs: 1_000,
  incarnationChangesMax: 3,
  incarnationWindowMs: 60_000,
  /** The brake (L8). */
  brakeShare: 0.3,
  brakeWorkersMin: 3,
  brakeWindowMs: 10_000,
  brakeMs: 60_000,
  /** Lost workers are remembered this long (cluster time), and no more than so many. */
  lostWorkerMs: 24 * 3_600_000,
  lostWorkersMax: 10_000,
  /** Leading (L3). */
  leaseMs: 1_500,
  renewMs: 500,
  /** Without news a standby stands after this long, and so much later for each that goes before it (L3). */
  standAfterMs: 1_650,
  rankMs: 100,
  /** Who stands looks this often for a stopped master that holds the journal's lock; the second look counts. */
  stoppedLookMs: 100,
  /** One that doubts the leader's state stands so much later, after those that do not (L10). */
  doubtMs: 3_000,
  /** After a hand-over to another, a standby waits this long for each place (L6). */
  resignedMs: 200,
  /** In a term younger than this a cut connection does not make a standby stand: silence does. */
  termMinMs: 500,
  /** A standby that the leader has missed for so long is no master any more until it returns. */
  masterForgottenMs: 600_000,
  /** Between masters: each says something this often, and shows what has changed twice as often. */
  peerBeatMs: 500,
  /** A cut connection to the leader is dialled again, and answered or refused within this (L4). */
  peerDialMs: 300,
  /** A payload must be on a second master within this, or whoever sent it tries again (A1). */
  payloadSpreadMs: 5_000,
  /** Copies of payloads from other masters at one time. */
  payloadCopiesMax: 4,
  /** A master looks this often for payloads that the state names and that it lacks. */
  payloadLookMs: 5_000,
  /** A new master tries so long to reach others that have what it needs (A6); then it starts with what it has. */
  catchUpMs: 15_000,
  /** Wall clocks of masters that are further apart than this raise an alarm (T1). */
  clockSkewMs: 1_000,
  /** An outcome unknown this long is said to be so (J3). */
  outcomeUnknownMs: 5_000,
  /** Captured output of one attempt. */
  logBytesMax: 64 * mib,
  /** Workers push what attempts print to masters (docs/logs.md): this often, so much in one request, in a second. */
  logPushMs: 200,
  logPushBytesMax: 1 * mib,
  logPushSecondBytes: 16 * mib,
  /** Printed bytes and attempts that wait in a worker's memory to be pushed; the rest is read from its disk. */
  logShipBytesMax: 8 * mib,
  logShipAttemptsMax: 50_000,
  /** Pushed bytes that wait for a master's disk; past it workers are told to come back. */
  logIntakeBytesMax: 16 * mib,
  /** What a master keeps of logs, in files of about this size. */
  logsMs: 7 * 24 * 3_600_000,
  logsBytesMax: 2_000 * mib,
  logSegmentBytes: 64 * mib,
  /** A longer line counts as several in searches. */
  logLineBytesMax: 1 * mib,
  logTailLinesMax: 10_000,
  /** An error as recorded in an outcome: message and stack are cut to this, and say so. */
  errorBytesMax: 8 * kib,
  /** A worker's spool of outcomes that no master has taken (W6). */
  spoolBytesMax: 256 * mib,
  /** A frame of a worker session. */
  frameBytesMax: 8 * mib,
  /** A master whose state may be older than this says that it is not ready. */
  readyLagMs: 5_000,
  /** Queues that metrics show by their name; the rest are one. */
  queuesShownMax: 100,
  /** Live bytes kept for one reader of a stream before it goes on from disk (E1). */
  readerBytesMax: 1 * mib,
  /** A reader of events that has taken nothing for this long is cut; it may come back with its position. */
  viewerStuckMs: 60_000,
  /** Streams of events that a master serves at a time. */
  viewersMax: 5_000,
  /** Single jobs that one stream of events follows. */
  viewerJobsMax: 32,
  /** Rows of one kind in the timeline within a time; what is more is counted (docs/events.md, T4). */
  timelineRowsMax: 100,
  timelineWindowMs: 10_000,
  /** Rows of jobs and attempts that are kept, and as many of all the rest. */
  timelineKeptRows: 200_000,
  /** Digest of the state (L10). */
  digestBatches: 1_024,
  digestMs: 60_000,
  /** Snapshot after this much journal. */
  snapshotBytes: 64 * mib,
  snapshotBatches: 20_000,
  /** What the archive keeps of retired jobs: outcomes, attempts, stored inputs and results. */
  archiveMs: 30 * 24 * 3_600_000,
  archiveBytesMax: 10_000 * mib,
  /** History (A6). */
  historyMs: 7 * 24 * 3_600_000,
  historyBytesMax: 2_000 * mib,
  /** Journal or disk use from which a trim waits no longer for the history. */
  trimAnywayAt: 0.5,
  /** Journal or disk use at which submits are refused, dispatch slows, dispatch stops (J7). */
  refuseSubmitsAt: 0.8,
  /** Logs give way first. */
  refuseLogsAt: 0.7,
  slowDispatchAt: 0.8,
  stopDispatchAt: 0.9,
  /** Cancelled attempts get this long between the polite and the hard signal. */
  killGraceMs: 5_000,
  /** A login code is good so long, once; so many at a time (`skein ui`). */
  loginCodeMs: 60_000,
  loginCodesMax: 64,
  /** A browser's session. */
  loginMs: 7 * 24 * 3_600_000,
  /** Labels of a job or worker. */
  labelsMax: 32,
  labelBytesMax: 256,
  /** Jobs that one job may wait for. */
  dependenciesMax: 64,
  /** A filter of a list: what fits into a URL and is compared with every row. */
  filterCharsMax: 2_000,
  filterTermsMax: 32,
  filterValuesMax: 64,
  /** Jobs that one bulk request changes. */
  bulkJobsMax: 10_000,
} as const;

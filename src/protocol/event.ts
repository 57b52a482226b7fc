// Rows of the timeline, as every part names them: see docs/events.md.

/** Of jobs and attempts there are many; of the rest there are few. */
export const jobEventKinds = [
  "job.created",
  "job.ended",
  "job.cancelled",
  "attempt.failed",
] as const;

export const clusterEventKinds = [
  "worker.joined",
  "worker.suspect",
  "worker.back",
  "worker.draining",
  "worker.lost",
  "worker.gone",
  "queue.changed",
  "master.elected",
  "master.joined",
  "master.left",
  "master.resigned",
  "cluster.braked",
  "snapshot.taken",
] as const;

export const eventKinds = [...jobEventKinds, ...clusterEventKinds] as const;
export type EventKind = (typeof eventKinds)[number];

export const eventLevels = ["info", "warn", "bad"] as const;
export type EventLevel = (typeof eventLevels)[number];

/** Topics of the stream; "job:ID" beside them. */
export const eventTopics = [
  "timeline",
  "overview",
  "jobs",
  "workers",
  "queues",
  "masters",
] as const;
export type EventTopic = (typeof eventTopics)[number];

export function isEventKind(text: string): text is EventKind {
  return eventKinds.some((kind) => kind === text);
}

export function isJobEvent(kind: EventKind): boolean {
  return jobEventKinds.some((each) => each === kind);
}

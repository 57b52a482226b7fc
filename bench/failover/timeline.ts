/** What happened between a blow and the next start, from the masters' logs: milliseconds after the blow. */
import { median } from "../peers/statistics.ts";
import type { LogLine } from "./log-lines.ts";

/** In the order in which they happen. */
export const steps = [
  ["cut", "a standby finds its connection cut"],
  ["gone", "its dial is refused: the leader is gone"],
  ["stands", "the next leader stands for election"],
  ["elected", "its `elected` is in the journal"],
  ["told", "it tells the workers"],
  ["registered", "the first worker has registered"],
  ["start", "the first new task starts"],
  ["submit", "the first new submit is acknowledged"],
] as const;

export type Step = (typeof steps)[number][0];
export type Timeline = Readonly<Partial<Record<Step, number>>>;

const messages: Readonly<Partial<Record<Step, string>>> = {
  cut: "the connection to the leader was cut",
  gone: "the leader is gone",
  stands: "this master stands for election",
  elected: "a leader is elected",
  told: "this master leads: workers are told",
  registered: "a worker has registered",
};

/** Of the master that was elected; a cut and a refusal may be noticed by either. */
const ofWinner: ReadonlySet<Step> = new Set(["stands", "elected", "told", "registered"]);

export function timelineOf(
  lines: readonly LogLine[],
  wall: number,
  { startMs, submitMs }: { readonly startMs: number; readonly submitMs: number },
): Timeline {
  const winner = lines.find(({ msg }) => msg === messages.told)?.from;
  const found: Partial<Record<Step, number>> = { start: startMs, submit: submitMs };
  for (const [step] of steps) {
    const message = messages[step];
    if (message === undefined) continue;
    const line = lines.find(
      ({ msg, from }) => msg === message && (!ofWinner.has(step) || from === winner),
    );
    if (line) found[step] = Math.max(0, line.wall - wall);
  }
  return found;
}

/** The median of each step over those rounds in which it was seen. */
export function typicalTimeline(rounds: readonly Timeline[]): Timeline {
  const typical: Partial<Record<Step, number>> = {};
  for (const [step] of steps) {
    const values = rounds.flatMap((one) => one[step] ?? []);
    if (values.length > 0) typical[step] = median(values);
  }
  return typical;
}

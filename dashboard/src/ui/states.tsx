// States: always a word, a sign and a colour together, so that none of them is needed.

import { count } from "./format.ts";

type Tone = "ok" | "bad" | "run" | "retry" | "idle" | "block" | "warn" | "off";

interface Look {
  readonly tone: Tone;
  readonly sign: string;
}

const looks: Readonly<Record<string, Look>> = {
  succeeded: { tone: "ok", sign: "✓" },
  failed: { tone: "bad", sign: "✕" },
  cancelled: { tone: "off", sign: "⊘" },
  running: { tone: "run", sign: "▶" },
  assigned: { tone: "run", sign: "▷" },
  backoff: { tone: "retry", sign: "↻" },
  ready: { tone: "idle", sign: "○" },
  waiting: { tone: "block", sign: "◌" },
  open: { tone: "block", sign: "…" },
  lost: { tone: "bad", sign: "⚠" },
  given_back: { tone: "off", sign: "↩" },
  active: { tone: "ok", sign: "●" },
  suspect: { tone: "warn", sign: "?" },
  draining: { tone: "retry", sign: "↓" },
  drained: { tone: "off", sign: "▫" },
  gone: { tone: "off", sign: "–" },
  leading: { tone: "ok", sign: "★" },
  "standing by": { tone: "run", sign: "●" },
  away: { tone: "bad", sign: "⚠" },
  unknown: { tone: "off", sign: "?" },
  paused: { tone: "warn", sign: "‖" },
};
const other: Look = { tone: "off", sign: "·" };

export const lookOf = (state: string): Look => looks[state] ?? other;

const words: Readonly<Record<string, string>> = { backoff: "retrying", given_back: "given back" };
export const wordOf = (state: string): string => words[state] ?? state;

export function State({ state }: { readonly state: string }) {
  const { tone, sign } = lookOf(state);
  return (
    <span className={`state tone-${tone}`}>
      <span className="sign" aria-hidden="true">
        {sign}
      </span>
      {wordOf(state)}
    </span>
  );
}

export interface Counts {
  readonly waiting: number;
  readonly ready: number;
  readonly backoff: number;
  readonly assigned: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** In the order of a bar, from what is done to what is still to come. */
export const barOrder = [
  "succeeded",
  "failed",
  "cancelled",
  "assigned",
  "backoff",
  "ready",
  "waiting",
] as const;

const barWord = (key: string): string => (key === "assigned" ? "running" : wordOf(key));

export function countsText(counts: Counts): string {
  const parts = barOrder.flatMap((key) =>
    counts[key] > 0 ? [`${count(counts[key])} ${barWord(key)}`] : [],
  );
  return parts.length === 0 ? "no tasks yet" : parts.join(", ");
}

/** How many tasks are in which state, as one bar. */
export function StateBar({ counts, thick }: { readonly counts: Counts; readonly thick?: boolean }) {
  const text = countsText(counts);
  return (
    <span className={thick ? "bar thick" : "bar"} role="img" aria-label={text} title={text}>
      {barOrder.map((key) =>
        counts[key] > 0 ? (
          <span key={key} className={`seg seg-${key}`} style={{ flexGrow: counts[key] }} />
        ) : null,
      )}
    </span>
  );
}

/** The bar's legend: every number with its word. */
export function StateLegend({ counts }: { readonly counts: Counts }) {
  return (
    <ul className="legend">
      {barOrder.map((key) =>
        counts[key] > 0 ? (
          <li key={key}>
            <span className={`swatch seg-${key}`} aria-hidden="true" />
            <b>{count(counts[key])}</b> {barWord(key)}
          </li>
        ) : null,
      )}
    </ul>
  );
}

// Small things that many screens show.

import { useEffect, useState } from "react";
import type { ReactNode } from "react";
import { SkeinError } from "../../../src/client/index.ts";
import { exactTime, roughly, shortId } from "./format.ts";
import { Icon } from "./icons.tsx";

/** The present, once a second. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** How long ago; the exact time on hover. */
export function Ago({ at }: { readonly at: string | null }) {
  const now = useNow();
  if (at === null) return <span className="dim">–</span>;
  const ms = Math.max(0, now - Date.parse(at));
  return (
    <time dateTime={at} title={exactTime(at)}>
      {ms < 1_000 ? "now" : `${roughly(ms)} ago`}
    </time>
  );
}

/** Text that somebody else chose: it keeps its own direction and disturbs nothing beside it. */
export function Name({ text }: { readonly text: string }) {
  return (
    <bdi className="name" dir="auto" title={text}>
      {text}
    </bdi>
  );
}

export function Copy({ text, label }: { readonly text: string; readonly label: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 1_500);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setDone(true);
  };
  return (
    <button
      type="button"
      className="copy"
      aria-label={label}
      title={label}
      onClick={() => void copy()}
    >
      {done ? <span aria-live="polite">copied</span> : <Icon name="copy" />}
    </button>
  );
}

/** An id: short, in full on hover and when copied. */
export function Id({ id, what }: { readonly id: string; readonly what: string }) {
  return (
    <span className="id">
      <code title={id}>{shortId(id)}</code>
      <Copy text={id} label={`Copy the id of this ${what}`} />
    </span>
  );
}

export function Command({ text }: { readonly text: string }) {
  return (
    <span className="command">
      <code>{text}</code>
      <Copy text={text} label={`Copy: ${text}`} />
    </span>
  );
}

export function Card(props: {
  readonly title: string;
  readonly note?: ReactNode;
  readonly children: ReactNode;
  readonly wide?: boolean;
}) {
  const { title, note, children, wide } = props;
  return (
    <section className={wide ? "card wide" : "card"} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note === undefined ? null : <span className="note">{note}</span>}
      </header>
      {children}
    </section>
  );
}

/** Why there is nothing, and what to do. */
export function Empty({ why, children }: { readonly why: string; readonly children?: ReactNode }) {
  return (
    <div className="empty">
      <p>{why}</p>
      {children}
    </div>
  );
}

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** What was asked did not come: in the master's words. */
export function Trouble({ error, what }: { readonly error: unknown; readonly what: string }) {
  const text = messageOf(error);
  const hint = error instanceof SkeinError ? (error.hint ?? "") : "";
  return (
    <div className="trouble" role="alert">
      <b>{what} cannot be shown.</b> <span>{text}</span> {hint === "" ? null : <span>{hint}</span>}
    </div>
  );
}

/** What the master says of a filter that it cannot read. */
export function Refused({ error }: { readonly error: SkeinError }) {
  return (
    <p className="trouble" role="alert">
      {error.message} {error.hint}
    </p>
  );
}

export function Loading({ what }: { readonly what: string }) {
  return (
    <p className="dim loading" role="status">
      Asking for {what} …
    </p>
  );
}

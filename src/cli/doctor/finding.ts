// What a check says: how it is, and where it is not well, why, and what to do about it.

export type Level = "ok" | "warn" | "bad" | "unknown";

export interface Finding {
  /** Short and stable: scripts may ask for it. */
  readonly check: string;
  readonly level: Level;
  readonly what: string;
  readonly why?: string | undefined;
  readonly todo?: string | undefined;
}

export function ok(check: string, what: string): Finding {
  return { check, level: "ok", what };
}

/** It could not be looked at; that alone is no fault. */
export function unknown(check: string, what: string, todo?: string): Finding {
  return { check, level: "unknown", what, todo };
}

export function warn(check: string, what: string, why: string, todo: string): Finding {
  return { check, level: "warn", what, why, todo };
}

export function bad(check: string, what: string, why: string, todo: string): Finding {
  return { check, level: "bad", what, why, todo };
}

export function worstOf(findings: readonly Finding[]): "ok" | "warn" | "bad" {
  if (findings.some(({ level }) => level === "bad")) return "bad";
  return findings.some(({ level }) => level === "warn") ? "warn" : "ok";
}

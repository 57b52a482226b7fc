// Job specs and worker offers as scripts write them, with the defaults of the API.

import type { JobSpec } from "../../src/protocol/model.ts";
import { parseDuration } from "./script.ts";
import type { Command } from "./script.ts";

/** Whole units to thousandths: cpu=1.5 is 1500. */
export function amountsIn(given: Readonly<Record<string, string>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(given).map(([name, text]) => [name, Math.round(Number(text) * 1000)]),
  );
}

export function labelsIn(sections: Command["sections"], name = "labels"): Record<string, string> {
  return Object.fromEntries(sections.get(name) ?? []);
}

/** `idOf` gives the id of the job that a name in `after` or `each` stands for. */
export function specIn(
  { words, options, sections }: Command,
  idOf: (name: string) => string,
): JobSpec {
  const [task = ""] = words;
  const ms = (option: string, otherwise: number) => {
    const text = options.get(option);
    return text === undefined ? otherwise : parseDuration(text);
  };
  const needs = sections.get("needs");
  const amounts = needs ? amountsIn(Object.fromEntries(needs)) : { cpu: 1000 };
  const [key, limit] = options.get("key-limit")?.split(":") ?? [];
  const bundle = options.get("bundle");
  const noCode = { kind: "command", argv: ["true"], env: {}, stdin: "none" } as const;
  return {
    task,
    code: bundle === undefined ? noCode : { kind: "function", bundle: bundle.repeat(64) },
    queue: options.get("queue") ?? "default",
    priority: Number(options.get("priority") ?? 0),
    needs: { amounts, required: labelsIn(sections), preferred: labelsIn(sections, "prefers") },
    timeouts: { queuedMs: ms("queued", 0), runMs: 0, silenceMs: 0 },
    retry: {
      attempts: Number(options.get("attempts") ?? 1),
      backoffMs: ms("backoff", 1_000),
      backoffMaxMs: ms("backoff-max", 60_000),
      finalErrors: [],
    },
    onFailure: options.get("on-failure") === "stop" ? "stop" : "continue",
    concurrency: key === undefined ? null : { key, limit: Number(limit) },
    fenced: words.includes("fenced"),
    delayMs: ms("delay", 0),
    labels: {},
    after: [...dependencies(options, "after", idOf), ...dependencies(options, "each", idOf)],
    encoding: "json",
    ifClientGone: "close",
    namespace: "default",
    by: "local",
    parent: null,
    retryOf: null,
    group: null,
  };
}

function dependencies(
  options: Command["options"],
  option: "after" | "each",
  idOf: (name: string) => string,
): JobSpec["after"] {
  const names = options.get(option)?.split(",") ?? [];
  return names.map((name) => ({ job: idOf(name), mode: option === "after" ? "all" : "each" }));
}

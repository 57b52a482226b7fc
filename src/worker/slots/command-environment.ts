// What a command sees of the world: its arguments and its environment.
//
// The environment is clean: of the worker's own it has only what tells programs where they are (`kept`), so
// that neither tokens nor a developer's shell settings change what a task does. TMPDIR is the attempt's
// own. `env` of the job comes on top, and SKEIN_* last:
//
//   SKEIN_JOB, SKEIN_TASK, SKEIN_ATTEMPT, SKEIN_FENCE   who it is
//   SKEIN_INPUT   a file with the input as JSON        SKEIN_OUT   a folder: files left there are outputs
//   TRACEPARENT   its W3C trace context, if its submit had one (the job's own `env` wins)
//   SKEIN_SLOT    by which the slot finds and ends what the command leaves running

import { join } from "node:path";
import type { Labels } from "../../protocol/model.ts";
import { cookieName } from "./process-tree.ts";
import type { Attempt } from "./slot-runner.ts";

const kept = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ"];
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function commandEnvironment(
  job: string,
  env: Labels,
  attempt: Attempt,
  folder: string,
): Record<string, string> {
  const all: Record<string, string> = { PATH: defaultPath, LANG: "C.UTF-8" };
  for (const name of kept) {
    const value = process.env[name];
    if (value !== undefined) all[name] = value;
  }
  return {
    ...all,
    TMPDIR: join(folder, "tmp"),
    ...(attempt.trace && { TRACEPARENT: attempt.trace.traceparent }),
    ...env,
    SKEIN_JOB: job,
    SKEIN_TASK: String(attempt.task),
    SKEIN_ATTEMPT: String(attempt.attempt),
    SKEIN_FENCE: String(attempt.fence),
    SKEIN_INPUT: join(folder, "input.json"),
    SKEIN_OUT: join(folder, "out"),
    [cookieName]: process.env[cookieName] ?? "",
  };
}

/** `{}` becomes the input: a JSON string as its text, anything else as JSON. */
export function commandArguments(argv: readonly string[], input: string): string[] {
  const text = plainText(input);
  return argv.map((argument) => argument.replaceAll("{}", () => text));
}

function plainText(input: string): string {
  if (!input.startsWith('"')) return input;
  try {
    return String(JSON.parse(input));
  } catch {
    // Nobody has looked at it before (K2): what is no JSON is handed on as it came.
    return input;
  }
}

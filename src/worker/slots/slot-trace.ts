// The span of an attempt, in the slot that runs it. A job without a traceparent has none, and costs nothing.
//
// The context of the submit comes with the job. If somebody traces in this process (lib/tracing.ts, or the user's
// own module) the attempt is a span under it, active while the task's code runs, so that what the code traces is
// under it in turn. If nobody does, the code is given the submit's own context.

import { remoteContext, startSpan, parentOf, tracing } from "../../lib/tracing.ts";
import { endReason } from "../../protocol/model.ts";
import { formatTraceparent, parseTraceparent } from "../../protocol/traceparent.ts";
import type { Attempt } from "./slot-runner.ts";
import type { SlotJob } from "./wire.ts";

export interface AttemptTrace {
  /** What the task's code hands on. */
  readonly traceparent: string;
  /** Runs it with the attempt's span active. */
  run<T>(code: () => T): T;
  end(reason: number): void;
}

export function traceAttempt(job: SlotJob, attempt: Attempt): AttemptTrace | undefined {
  const { traceparent } = job;
  if (traceparent === undefined) return undefined;
  const api = tracing();
  if (!api) return { traceparent, run: (code) => code(), end() {} };
  const parent = remoteContext(api, parseTraceparent(traceparent));
  const attributes = {
    "skein.job.id": job.job,
    "skein.task.name": job.name,
    "skein.task.id": attempt.task,
    "skein.attempt": attempt.attempt,
    "skein.worker.id": job.worker,
  };
  const options = { kind: api.SpanKind.CONSUMER, attributes };
  const span = startSpan(api, "skein.attempt", options, parent);
  const own = parentOf(api, span);
  const active = api.trace.setSpan(parent, span);
  return {
    traceparent: own ? formatTraceparent(own) : traceparent,
    run: (code) => api.context.with(active, code),
    end(code) {
      const { name, state, text } = endReason(code);
      if (state !== "succeeded") {
        span.setAttribute("error.type", name);
        span.setStatus({ code: api.SpanStatusCode.ERROR, message: text });
      }
      span.end();
    },
  };
}

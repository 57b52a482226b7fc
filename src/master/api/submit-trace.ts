// The trace of a submit: the context that its client sent goes with the job, to every attempt of it. If somebody
// traces in this process (lib/tracing.ts) the submit is a span under the client's, and the job's context is its own.

import type { Span } from "@opentelemetry/api";
import { parentOf, remoteContext, startSpan, tracing } from "../../lib/tracing.ts";
import type { JobSpec } from "../../protocol/model.ts";
import { formatTraceparent, parseTraceparent } from "../../protocol/traceparent.ts";

/** `traceparent`, as it came with a request. */
export type TraceHeader = string | readonly string[] | undefined;

export interface TracedSpec {
  readonly spec: JobSpec;
  readonly span: Span | undefined;
}

/** The spec with the context of this request, or with none; never with that of an earlier one. */
export function traceSubmit(header: TraceHeader, plain: JobSpec, job: string): TracedSpec {
  const api = tracing();
  if (header === undefined && !api && plain.traceparent === undefined) {
    return { spec: plain, span: undefined };
  }
  const { traceparent: _, ...spec } = plain;
  const sent = parseTraceparent(typeof header === "string" ? header : undefined);
  if (!api) return { spec: withParent(spec, sent), span: undefined };
  const attributes = {
    "skein.job.id": job,
    "skein.task.name": spec.task,
    "skein.queue": spec.queue,
  };
  const options = { kind: api.SpanKind.SERVER, attributes };
  const span = startSpan(api, "skein.submit", options, remoteContext(api, sent));
  return { spec: withParent(spec, parentOf(api, span) ?? sent), span };
}

function withParent(spec: JobSpec, parent: ReturnType<typeof parseTraceparent>): JobSpec {
  return parent ? { ...spec, traceparent: formatTraceparent(parent) } : spec;
}

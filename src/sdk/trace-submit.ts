// A submit of the SDK in a trace: if the program traces, the submit is a span under the one that is active, and its
// context travels with the job. If it does not, a context that the program was itself started with (TRACEPARENT: a
// command of Skein, or a CI system) is handed on.

import { parentOf, startSpan, tracing } from "../lib/tracing.ts";
import { formatTraceparent, parseTraceparent } from "../protocol/traceparent.ts";

/** Runs a submit; gives it what to send as `traceparent`. */
export function traced<T>(
  task: string,
  queue: string | undefined,
  submit: (traceparent: string | undefined) => Promise<T>,
): Promise<T> {
  const api = tracing();
  if (!api) return submit(inherited());
  const attributes = { "skein.task.name": task, "skein.queue": queue ?? "default" };
  const active = api.context.active();
  const options = { kind: api.SpanKind.PRODUCER, attributes };
  const span = startSpan(api, "skein.submit", options, active);
  const own = parentOf(api, span);
  const sent = own ? formatTraceparent(own) : inherited();
  const done = api.context.with(api.trace.setSpan(active, span), () => submit(sent));
  return done
    .catch((error: unknown) => {
      span.recordException(error as Error);
      span.setStatus({ code: api.SpanStatusCode.ERROR });
      throw error;
    })
    .finally(() => span.end());
}

function inherited(): string | undefined {
  const parent = parseTraceparent(process.env["TRACEPARENT"]);
  return parent && formatTraceparent(parent);
}

/** Tasks whose own code traces, as a user's would: with a copy of the API in their bundle. */
import { trace } from "@opentelemetry/api";
import { defineCommand, defineTask } from "skein";

export const traced = defineTask({
  name: "traced",
  run: (fail: boolean, ctx) => {
    trace.getTracer("user").startSpan("user work").end();
    if (fail) throw new Error("as asked");
    return ctx.traceparent ?? "none";
  },
});

export const printed = defineCommand({
  name: "printed",
  argv: ["sh", "-c", "printf %s $TRACEPARENT"],
});

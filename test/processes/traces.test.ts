import { expect, onTestFailed, test } from "vitest";
import { Collector } from "./collector.ts";
import { ProcessCluster, until } from "./process-cluster.ts";
import { printed, traced } from "./traced-tasks.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const clientSpan = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${clientSpan}-01`;

test("a traced submit is one trace: submit, queued, attempt, and what the task's code traces", async () => {
  await using collector = await Collector.start();
  await using cluster = await ProcessCluster.start({
    workers: 1,
    env: () => ({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, TRACEPARENT: "" }),
  });
  onTestFailed(() => console.log(cluster.stderr, collector.spans));
  // This process is a client that was started in a trace, as by a CI system.
  process.env["TRACEPARENT"] = traceparent;
  await using skein = await cluster.connect();

  const handed = await skein.run(traced, false);
  await expect(skein.run(traced, true)).rejects.toThrow("as asked");
  const { stdout } = await skein.run(printed, null);
  await until(() => collector.named("user work").length === 2);
  await until(() => collector.named("skein.attempt").length === 3);
  await until(() => collector.named("skein.queued").length === 3);
  await until(() => collector.named("skein.submit").length === 3);

  const submits = collector.named("skein.submit");
  expect(submits.map((span) => [span.traceId, span.parentSpanId, span.service])).toEqual(
    submits.map(() => [traceId, clientSpan, "skein-master"]),
  );
  const parents = submits.map(({ spanId }) => spanId).toSorted();
  for (const name of ["skein.queued", "skein.attempt"]) {
    const spans = collector.named(name);
    expect(spans.map(({ parentSpanId = "" }) => parentSpanId).toSorted()).toEqual(parents);
    for (const span of spans) {
      expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
    }
  }
  const attempts = collector.named("skein.attempt");
  const own = (span: string) => `00-${traceId}-${span}-01`;
  expect(attempts.map(({ spanId }) => own(spanId))).toContain(handed);
  expect(attempts.map(({ spanId }) => own(spanId))).toContain(stdout);
  expect(attempts.filter(({ status }) => status.code === 2)).toHaveLength(1);
  const attemptIds = attempts.map(({ spanId }) => spanId);
  for (const { parentSpanId = "", service } of collector.named("user work")) {
    expect(attemptIds).toContain(parentSpanId);
    expect(service).toBe("skein-slot");
  }
});

test("without an exporter a traced submit hands its context on, and nothing is said about it", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1 });
  process.env["TRACEPARENT"] = traceparent;
  await using skein = await cluster.connect();
  expect(await skein.run(traced, false)).toBe(traceparent);
  expect(cluster.stderr).not.toContain("traces");
});

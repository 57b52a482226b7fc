import { context, trace } from "@opentelemetry/api";
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { FakeMaster } from "../client/fake-master.fixture.ts";
import { connect, defineCommand } from "./index.ts";
import { traced } from "./trace-submit.ts";

const echo = defineCommand({ name: "echo", argv: ["cat"], stdin: "input" });
const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const handOn = async (traceparent: string | undefined) => traceparent;

describe("in a program that does not trace", () => {
  afterEach(() => {
    delete process.env["TRACEPARENT"];
  });

  test("a submit sends no context of its own", async () => {
    expect(await traced("t", undefined, handOn)).toBe(undefined);
  });

  test("a context that the program was started with is handed on", async () => {
    process.env["TRACEPARENT"] = given;
    expect(await traced("t", undefined, handOn)).toBe(given);
    process.env["TRACEPARENT"] = "nonsense";
    expect(await traced("t", undefined, handOn)).toBe(undefined);
  });
});

describe("in a program that traces", () => {
  const exporter = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  beforeAll(() => provider.register());
  afterEach(() => exporter.reset());
  afterAll(() => {
    trace.disable();
    context.disable();
  });

  test("a submit is a span under the active one, and its context travels in the header", async () => {
    await using master = await new FakeMaster().start();
    await using skein = await connect({ url: master.url, token: "secret" });
    const tracer = trace.getTracer("test");
    await tracer.startActiveSpan("the caller", async (span) => {
      await skein.map(echo, [1, 2], { queue: "film" });
      span.end();
    });
    const [submit, caller] = exporter.getFinishedSpans();
    expect(submit?.name).toBe("skein.submit");
    expect(submit?.attributes).toEqual({ "skein.task.name": "echo", "skein.queue": "film" });
    expect(submit?.parentSpanContext?.spanId).toBe(caller?.spanContext().spanId);
    const { traceId, spanId } = submit?.spanContext() ?? {};
    const sent = master.seen.find(({ path }) => path === "/v1/jobs");
    expect(sent?.headers["traceparent"]).toBe(`00-${traceId}-${spanId}-01`);
  });

  test("a submit that fails is a span with the error", async () => {
    const failing = traced("t", "q", async () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    const [span] = exporter.getFinishedSpans();
    expect(span?.status.code).toBe(2);
    expect(span?.events[0]?.attributes?.["exception.message"]).toBe("no");
  });
});

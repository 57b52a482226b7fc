import { expect, test } from "vitest";
import { createLog } from "./log.ts";
import { canExport, startExport, tracing, wantsExport } from "./tracing.ts";

function logged() {
  const lines: string[] = [];
  return { lines, log: createLog({ write: (line) => void lines.push(line) }) };
}

test("nobody traces, and nothing is loaded, unless somebody asked for it", async () => {
  const { lines, log } = logged();
  await using _exporting = startExport("t", log, {});
  expect(tracing()).toBe(undefined);
  expect(lines).toEqual([]);
});

test.each([
  [{}, false],
  [{ OTEL_TRACES_EXPORTER: "otlp" }, true],
  [{ OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" }, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" }, true],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "" }, false],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c:4318/v1/traces" }, true],
  [{ OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" }, false],
])("%o asks for export: %s", (env, wanted) => {
  expect(wantsExport(env)).toBe(wanted);
});

test("a package that is not installed is one warning with what to do", () => {
  const { lines, log } = logged();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" };
  const resolve = (name: string) => {
    if (name.includes("exporter")) throw new Error("not found");
    return name;
  };
  expect(canExport(log, env, resolve)).toBe(false);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("@opentelemetry/exporter-trace-otlp-http not installed");
  expect(lines[0]).toContain("npm install @opentelemetry/exporter-trace-otlp-http");
  expect(canExport(log, env, (name) => name)).toBe(true);
});

test("an exporter that is not known here is one warning", () => {
  const { lines, log } = logged();
  expect(canExport(log, { OTEL_TRACES_EXPORTER: "zipkin" })).toBe(false);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("zipkin");
});

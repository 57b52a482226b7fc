// Spans, for whoever wants them. We make them through the API of OpenTelemetry, which does nothing by itself; what
// records and sends them is the user's: registered in the process, or, for masters and slots, the two packages below,
// loaded when the environment names an exporter.
//
//   V1  Nothing is loaded, and nothing is paid but one look at a global, in a process where nobody traces.
//   V2  Tracing never stops a process and never fails a request: what is missing is said once.

import type { Context, Span, SpanOptions } from "@opentelemetry/api";
import { createRequire } from "node:module";
import type { Log } from "./log.ts";

type Api = typeof import("@opentelemetry/api");
type Sdk = typeof import("@opentelemetry/sdk-trace-node");

const require = createRequire(import.meta.url);
/** Where the API keeps who has registered: the same for all of its copies of major version 1. */
const registered = Symbol.for("opentelemetry.js.api.1");
let loaded: Api | undefined;

/** The API, if anybody has registered with it in this process. */
export function tracing(): Api | undefined {
  if (!(registered in globalThis)) return undefined;
  return (loaded ??= require("@opentelemetry/api") as Api);
}

/** A context whose active span is that of another process. */
export function remoteContext(api: Api, parent: RemoteParent | undefined): Context {
  if (!parent) return api.ROOT_CONTEXT;
  const { traceId, spanId, flags: traceFlags } = parent;
  return api.trace.setSpanContext(api.ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags,
    isRemote: true,
  });
}

export interface RemoteParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

export function startSpan(api: Api, name: string, options: SpanOptions, parent: Context): Span {
  return api.trace.getTracer("skein").startSpan(name, options, parent);
}

/** What a span says to others; undefined when it has nothing to say. */
export function parentOf(api: Api, span: Span): RemoteParent | undefined {
  const context = span.spanContext();
  if (!api.isSpanContextValid(context)) return undefined;
  return { traceId: context.traceId, spanId: context.spanId, flags: context.traceFlags };
}

// ── what records and sends, when the environment asks for it ─────────────────────────────────

export interface Exporting extends AsyncDisposable {
  /** Sends what waits, within a second or so. */
  flush(): Promise<void>;
}

const sdk = "@opentelemetry/sdk-trace-node";
const exporter = "@opentelemetry/exporter-trace-otlp-http";
const flushMs = 1_000;
const nothing: Exporting = { flush: async () => {}, async [Symbol.asyncDispose]() {} };

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether the environment asks for spans to be sent, in OpenTelemetry's own words. */
export function wantsExport(env: Environment): boolean {
  if (env["OTEL_SDK_DISABLED"] === "true" || env["OTEL_TRACES_EXPORTER"] === "none") return false;
  return [
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  ].some((name) => (env[name] ?? "") !== "");
}

/** Registers an exporter in this process if the environment asks for one, and nobody has before. */
export function startExport(service: string, log: Log, env: Environment = process.env): Exporting {
  if (!wantsExport(env) || registered in globalThis) return nothing;
  if (!canExport(log, env)) return nothing;
  try {
    return load(service, env);
  } catch (error) {
    log.warn("traces cannot be sent", { error });
    return nothing;
  }
}

/** Says what is missing, if something is; for a process that starts others which will need it. */
export function canExport(
  log: Log,
  env: Environment = process.env,
  resolve: (name: string) => string = require.resolve,
): boolean {
  if (!wantsExport(env)) return false;
  const kind = env["OTEL_TRACES_EXPORTER"] ?? "";
  if (kind !== "" && kind !== "otlp") {
    log.warn(`traces are not sent: OTEL_TRACES_EXPORTER is "${kind}", only otlp is known here`);
    return false;
  }
  const missing = [sdk, exporter].filter((name) => !isThere(name, resolve));
  if (missing.length === 0) return true;
  const hint = `npm install ${missing.join(" ")} beside skein, or unset OTEL_*`;
  log.warn(`traces are not sent: ${missing.join(" and ")} not installed`, { hint });
  return false;
}

function isThere(name: string, resolve: (name: string) => string): boolean {
  try {
    resolve(name);
    return true;
  } catch {
    return false;
  }
}

function load(service: string, env: Environment): Exporting {
  const { NodeTracerProvider, BatchSpanProcessor } = require(sdk) as Sdk;
  const { OTLPTraceExporter } = require(
    exporter,
  ) as typeof import("@opentelemetry/exporter-trace-otlp-http");
  const delay = env["OTEL_BSP_SCHEDULE_DELAY"];
  const provider = new NodeTracerProvider({
    resource: toResource(resourceOf(service, env)),
    spanProcessors: [
      // A slot may be killed at any moment: what it has is sent soon.
      new BatchSpanProcessor(new OTLPTraceExporter(), {
        scheduledDelayMillis: delay ? Number(delay) : flushMs,
      }),
    ],
  });
  provider.register();
  const within = (doing: Promise<void>) => {
    const late = new Promise<void>((resolve) => setTimeout(resolve, flushMs).unref());
    return Promise.race([doing.catch(() => {}), late]);
  };
  return {
    flush: () => within(provider.forceFlush()),
    [Symbol.asyncDispose]: () => within(provider.shutdown()),
  };
}

type Resource = NonNullable<
  NonNullable<ConstructorParameters<Sdk["NodeTracerProvider"]>[0]>["resource"]
>;

/** By the SDK's own copy of a package that nobody else names: found from where the SDK stands. */
function toResource(attributes: Record<string, string>): Resource {
  const fromSdk = createRequire(require.resolve(sdk));
  const fromBase = createRequire(fromSdk.resolve("@opentelemetry/sdk-trace-base"));
  const resources = fromBase("@opentelemetry/resources") as {
    resourceFromAttributes: (attributes: Record<string, string>) => Resource;
  };
  return resources.resourceFromAttributes(attributes);
}

/** Who sends: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win. */
function resourceOf(service: string, env: Environment): Record<string, string> {
  const own = (env["OTEL_RESOURCE_ATTRIBUTES"] ?? "")
    .split(",")
    .map((pair) => pair.split("=", 2).map((part) => part.trim()))
    .filter(([name, value]) => name && value)
    .map(([name = "", value = ""]) => [name, safeDecode(value)] as const);
  return {
    "service.name": service,
    "process.pid": String(process.pid),
    ...Object.fromEntries(own),
    ...(env["OTEL_SERVICE_NAME"] ? { "service.name": env["OTEL_SERVICE_NAME"] } : {}),
  };
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

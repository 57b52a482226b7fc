// For tests: a process that is none, and a master that is none.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { errorKinds } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { JobView, TaskView, WorkerView } from "../protocol/views.ts";
import type { Io, Sink } from "./io.ts";
import { runCli } from "./program.ts";

export const noon = "2026-11-20T12:00:00.000Z";

export interface FakeOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Both streams are terminals of so many columns. */
  readonly columns?: number;
  readonly stdin?: string;
}

export interface FakeIo extends Io {
  readonly text: { stdout: string; stderr: string };
  interrupt(): void;
}

export function fakeIo({ env = {}, columns, stdin = "" }: FakeOptions = {}): FakeIo {
  const text = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  const sink = (name: "stdout" | "stderr"): Sink => ({
    isTTY: columns !== undefined,
    columns,
    write: (data) => {
      text[name] += typeof data === "string" ? data : new TextDecoder().decode(data);
      return true;
    },
    drained: async () => {},
  });
  return {
    env,
    stdin: {
      isTTY: stdin === "" && columns !== undefined,
      async *[Symbol.asyncIterator]() {
        if (stdin !== "") yield stdin;
      },
    },
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    now: () => Date.parse(noon),
    signal: new AbortController().signal,
    onInterrupt: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onTerminate: () => () => {},
    text,
    interrupt: () => listeners.forEach((listener) => listener()),
  };
}

export interface FakeRequest {
  /** "GET /v1/jobs". */
  readonly route: string;
  readonly query: URLSearchParams;
  readonly body: string;
  readonly token: string;
}

/** JSON of the answer, text of it, or the code of a problem. */
type FakeAnswer = object | string;
export type FakeRoutes = Readonly<Record<string, (request: FakeRequest) => FakeAnswer>>;

export interface FakeCluster extends AsyncDisposable {
  readonly url: string;
  readonly requests: FakeRequest[];
  /** Runs a command line against it. */
  run(args: string, options?: FakeOptions): Promise<Ran>;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function problem(code: ErrorCode, detail: string): object {
  return { code, detail, hint: errorKinds[code].hint };
}

export async function fakeCluster(routes: FakeRoutes): Promise<FakeCluster> {
  const requests: FakeRequest[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const url = new URL(incoming.url ?? "/", "http://fake");
      const request = {
        route: `${incoming.method} ${url.pathname}`,
        query: url.searchParams,
        body: Buffer.concat(chunks).toString(),
        token: incoming.headers.authorization ?? "",
      };
      requests.push(request);
      const unknown = () => problem("not_found", `There is no ${request.route} here.`);
      const answer = (routes[request.route] ?? unknown)(request);
      if (typeof answer === "string") return response.end(answer);
      const code = "code" in answer ? (answer.code as ErrorCode) : undefined;
      const status = code === undefined ? 200 : errorKinds[code].status;
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    requests,
    run: (args, options = {}) => {
      const env = { SKEIN_URL: url, SKEIN_TOKEN: "secret", ...options.env };
      return run(args, { ...options, env });
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Runs a command line; words are parted by spaces, 'quoted' ones may hold some. */
export async function run(args: string, options: FakeOptions = {}): Promise<Ran> {
  const io = fakeIo(options);
  const words = [...args.matchAll(/'([^']*)'|(\S+)/g)].map((word) => word[1] ?? word[2] ?? "");
  const code = await runCli(words, io);
  return { code, ...io.text };
}

export function fakeJob(more: Partial<JobView> = {}): JobView {
  return {
    id: "4f2a91c0d1e2f3a4",
    number: 7,
    state: "succeeded",
    task: "square",
    kind: "function",
    queue: "default",
    priority: 0,
    labels: {},
    namespace: "default",
    by: "token",
    parent: null,
    retryOf: null,
    after: [],
    tasks: 1_000,
    open: false,
    counts: counts({ succeeded: 1_000 }),
    attempts: 1_000,
    attemptsLost: 0,
    runMs: 5_230,
    created: "2026-11-20T11:57:50.000Z",
    started: "2026-11-20T11:57:51.000Z",
    ended: "2026-11-20T11:57:53.500Z",
    retired: false,
    ...more,
  };
}

export function counts(more: Partial<JobView["counts"]>): JobView["counts"] {
  const none = { waiting: 0, ready: 0, backoff: 0, assigned: 0 };
  return { ...none, succeeded: 0, failed: 0, cancelled: 0, ...more };
}

export function fakeTask(more: Partial<TaskView> = {}): TaskView {
  return {
    job: "4f2a91c0d1e2f3a4",
    task: 17,
    name: "square",
    state: "failed",
    reason: "error",
    attempt: 2,
    worker: null,
    fence: null,
    progress: null,
    ...more,
  };
}

export function fakeWorker(more: Partial<WorkerView> = {}): WorkerView {
  return {
    id: "laptop",
    number: 1,
    incarnation: "0123456789abcdef",
    state: "active",
    hostname: "laptop",
    pid: 4711,
    version: "0.1.0",
    node: "v20.20.2",
    address: "127.0.0.1:40001",
    pool: "default",
    labels: { rack: "a" },
    amounts: { cpu: 8_000, memory: 12_288_000, license: 2_000 },
    used: { cpu: 2_500, memory: 1_024_000 },
    assigned: 3,
    ahead: 1,
    running: 2,
    connected: true,
    ...more,
  };
}

export function page<Item>(items: readonly Item[], total = items.length): object {
  return { items, total, nextCursor: null };
}

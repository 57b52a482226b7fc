// A master for tests of client and SDK: real HTTP on loopback, jobs in memory, tasks "run" by a function.
// It can refuse, stall and cut, and remembers every request.

import { createServer } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SkeinError, toProblem } from "../protocol/errors.ts";
import { encodeOutcomes } from "../protocol/outcome-block.ts";
import type { OutcomeItem } from "../protocol/outcome-block.ts";
import { encodeRecord } from "../protocol/outcome-stream.ts";

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly key: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface FakeJob {
  readonly id: string;
  readonly head: { spec: Record<string, unknown>; open?: boolean; key?: string };
  readonly lines: string[];
  readonly parts: string[];
  open: boolean;
  cancelled: boolean;
}

type Run = (input: string, task: number) => { code?: number; value: string };
/** Returns true when it has answered (or will never). */
type Hook = (seen: Seen, response: ServerResponse) => boolean | undefined;

export class FakeMaster {
  readonly jobs = new Map<string, FakeJob>();
  readonly byKey = new Map<string, FakeJob>();
  readonly payloads = new Map<string, Buffer>();
  readonly seen: Seen[] = [];
  readonly hooks: Hook[] = [];
  run: Run = (input) => ({ value: input });
  /** Outcomes in one block. */
  blockTasks = 256;
  /** Closes the connection of an outcome stream after this many records, once each time it is set. */
  cutAfterRecords = Infinity;
  url = "";
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The next `times` requests that match are refused. */
  refuse(path: RegExp, error: SkeinError, times = 1): void {
    let left = times;
    this.hooks.push((seen, response) => {
      if (left <= 0 || !path.test(`${seen.method} ${seen.path}`)) return false;
      left--;
      problem(response, error);
      return true;
    });
  }

  /** Requests as "METHOD /path". */
  paths(): string[] {
    return this.seen.map(({ method, path }) => `${method} ${path}`);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const key = request.headers["idempotency-key"];
    const seen: Seen = {
      method: request.method ?? "",
      path: request.url ?? "",
      key: typeof key === "string" ? key : undefined,
      headers: request.headers,
      body: Buffer.concat(chunks),
    };
    this.seen.push(seen);
    if (request.headers.authorization !== "Bearer secret") {
      return problem(response, new SkeinError("unauthorized", "No token."));
    }
    if (this.hooks.some((hook) => hook(seen, response))) return;
    try {
      this.#route(seen, response);
    } catch (error) {
      problem(
        response,
        error instanceof SkeinError ? error : new SkeinError("internal", String(error)),
      );
    }
  }

  #route(seen: Seen, response: ServerResponse): void {
    const url = new URL(seen.path, this.url);
    const [, , kind, id = "", action, part] = url.pathname.split("/");
    if (kind === "version") return json(response, { version: "0", protocol: 1, node: "v20" });
    if (kind === "payloads") return this.#payload(seen, id, response);
    if (kind !== "jobs") throw new SkeinError("not_found", "no such route");
    if (id === "") return json(response, this.#submit(seen, url.searchParams.has("wait")), 201);
    const job = this.jobs.get(id);
    if (!job) throw new SkeinError("not_found", `no job ${id}`);
    if (action === "parts") return json(response, this.#part(job, Number(part), seen, url));
    if (action === "close") job.open = false;
    if (action === "cancel") job.cancelled = true;
    if (action === "outcomes") return this.#outcomes(job, url, response);
    if (action === "results") return void response.end(this.#resultLines(job, url));
    json(response, this.view(job));
  }

  #submit(seen: Seen, wait: boolean): unknown {
    const text = seen.body.toString();
    const end = text.indexOf("\n");
    const head = JSON.parse(text.slice(0, end)) as FakeJob["head"] & { payloads?: string[] };
    const key = head.key ?? seen.key ?? "";
    const { bundle } = head.spec["code"] as { bundle?: string };
    for (const hash of [...(head.payloads ?? []), ...(bundle ? [bundle] : [])]) {
      if (!this.payloads.has(hash)) throw new SkeinError("payload_missing", hash);
    }
    let job = this.byKey.get(key);
    if (!job) {
      const id = (this.jobs.size + 1).toString(16).padStart(16, "0");
      const open = head.open ?? false;
      job = { id, head, lines: linesOf(text.slice(end + 1)), parts: [], open, cancelled: false };
      this.jobs.set(id, job);
      this.byKey.set(key, job);
    }
    if (!wait) return this.view(job);
    const records = this.#records(job).map(({ record }) => record);
    return { ...this.view(job), outcome: Buffer.concat(records).toString("base64") };
  }

  #part(job: FakeJob, number: number, seen: Seen, url: URL): unknown {
    for (const hash of url.searchParams.get("payloads")?.split(",") ?? []) {
      if (!this.payloads.has(hash)) throw new SkeinError("payload_missing", hash);
    }
    if (seen.body.length > 262_144) throw new SkeinError("too_large", "a part has 256 KiB at most");
    const text = seen.body.toString();
    if (job.parts[number] === text) return { tasks: job.lines.length };
    if (number > job.parts.length) throw new SkeinError("part_gap", `part ${number} came early`);
    if (number < job.parts.length) throw new SkeinError("part_differs", "other bytes");
    job.parts.push(text);
    for (const line of linesOf(text)) job.lines.push(line);
    return { tasks: job.lines.length };
  }

  #payload(seen: Seen, hash: string, response: ServerResponse): void {
    if (seen.method === "PUT") {
      this.payloads.set(hash, seen.body);
      return json(response, { hash, size: seen.body.length }, 201);
    }
    const bytes = this.payloads.get(hash);
    if (!bytes) throw new SkeinError("not_found", hash);
    response.end(bytes);
  }

  #records(job: FakeJob): { at: string; record: Uint8Array }[] {
    const records: { at: string; record: Uint8Array }[] = [];
    const failed = { any: false };
    for (let first = 0; first < job.lines.length; first += this.blockTasks) {
      const items = job.lines.slice(first, first + this.blockTasks).map((line, i): OutcomeItem => {
        const { code = 0, value } = this.run(line, first + i);
        if ((code & 0x7f) !== 0) failed.any = true;
        const bytes = Buffer.from(value, code >= 0x80 ? "hex" : "utf8");
        return { task: first + i, attempt: 1, code, micros: 1_500, logBytes: 0, value: bytes };
      });
      const at = { index: 10 + first, n: 3 };
      const record = encodeRecord({ kind: "block", at, block: encodeOutcomes(items) });
      records.push({ at: `${at.index}.${at.n}`, record });
    }
    const end = { index: 11 + job.lines.length, n: 0 };
    const state = failed.any ? 5 : 4;
    records.push({
      at: `${end.index}.${end.n}`,
      record: encodeRecord({ kind: "end", at: end, state }),
    });
    return records;
  }

  #outcomes(job: FakeJob, url: URL, response: ServerResponse): void {
    const records = this.#records(job);
    const after = records.findIndex(({ at }) => at === url.searchParams.get("after"));
    response.write(encodeRecord({ kind: "pulse" }));
    let sent = 0;
    for (const { record } of records.slice(after + 1)) {
      if (sent++ >= this.cutAfterRecords) {
        // Half a record, and then nothing.
        response.write(record.subarray(0, record.length >> 1), () => response.destroy());
        return;
      }
      response.write(record);
    }
    response.end();
  }

  #resultLines(job: FakeJob, url: URL): string {
    const lines = job.lines.map((line, i) => this.run(line, i).value);
    return [...lines.slice(Number(url.searchParams.get("from"))), ""].join("\n");
  }

  view(job: FakeJob): Record<string, unknown> {
    const tasks = job.lines.length;
    const state = job.open ? "open" : job.cancelled ? "cancelled" : "succeeded";
    return {
      id: job.id,
      state,
      open: state === "open",
      tasks,
      counts: { succeeded: tasks, failed: 0, cancelled: 0 },
    };
  }
}

function linesOf(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

export function problem(response: ServerResponse, error: SkeinError): void {
  const { retryAfter } = error.details;
  if (retryAfter !== undefined) response.setHeader("retry-after", retryAfter);
  response.setHeader("content-type", "application/problem+json");
  response.writeHead(error.kind.status).end(JSON.stringify(toProblem(error)));
}

// A master for tests of the API: the real loop, sessions, hub and doors, a journal and an archive in memory, and
// workers that are nothing but requests to the loop. Real HTTP on loopback.

import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attemptOf, stateOf } from "../../core/columns.ts";
import { createState } from "../../core/state.ts";
import { openMemoryJournal } from "../../journal/memory.ts";
import type { MemoryJournal } from "../../journal/memory.ts";
import { createLog } from "../../lib/log.ts";
import type { Log, LogFields } from "../../lib/log.ts";
import { openPayloadStore } from "../../payloads/payload-store.ts";
import { limits } from "../../protocol/limits.ts";
import { protocolVersion } from "../../protocol/messages.ts";
import { taskState } from "../../protocol/model.ts";
import type { WorkerInfo } from "../../protocol/model.ts";
import { encodeOutcomes } from "../../protocol/outcome-block.ts";
import type { OutcomeItem } from "../../protocol/outcome-block.ts";
import { MemoryArchive } from "../archive/memory-archive.ts";
import { ask } from "../context.ts";
import type { LeadershipView, Master, Usage } from "../context.ts";
import type { Standby } from "../peers.ts";
import type { LoopIdentity } from "../loop-ports.ts";
import type { Kept, Wired } from "../wiring.ts";
import { InlineLogs } from "../logs/inline-logs.fixture.ts";
import { KeptLogs } from "../logs/kept-logs.ts";
import { PeerFiles } from "../peer-files.ts";
import { wire } from "../wiring.ts";
import { createApi } from "./api.ts";
import type { Api, ApiOptions } from "./api.ts";

export const token = "secret-token-of-this-test";

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  // What a test looks into is its own business.
  readonly json: Record<string, unknown>;
}

export interface Asked {
  readonly body?: string | Uint8Array;
  readonly type?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Called with every piece as it comes. */
  readonly onPiece?: (piece: Buffer) => void;
  readonly signal?: AbortSignal;
}

export interface Others {
  live: Standby[];
  /** Where they listen. */
  addresses?: string[];
  newsAgeMs: number;
  /** Whom the lead was given to. */
  readonly stepsDown: (string | null)[];
}

/** What a worker of a test says of a task's attempt. */
export type Answerer = (task: number, input: string) => Partial<OutcomeItem> & { text?: string };

export class ApiWorld {
  readonly master: Master;
  readonly api: Api;
  readonly journal: MemoryJournal;
  readonly archive: MemoryArchive;
  readonly usage: { journalBytes: number; share: number };
  /** What the master believes of the others; a test changes it. */
  readonly others: Others;
  readonly logged: { level: string; message: string; fields: LogFields }[];
  port = 0;
  stopMaster = (): void => {};
  #reports = new Map<number, number>();
  readonly #folder: string;

  private constructor(
    parts: Pick<ApiWorld, "master" | "api" | "journal" | "archive" | "usage" | "others" | "logged">,
    folder: string,
  ) {
    this.master = parts.master;
    this.api = parts.api;
    this.journal = parts.journal;
    this.archive = parts.archive;
    this.usage = parts.usage;
    this.others = parts.others;
    this.logged = parts.logged;
    this.#folder = folder;
  }

  static async open(options: ApiOptions = {}): Promise<ApiWorld> {
    const folder = await mkdtemp(join(tmpdir(), "skein-api-"));
    const journal = await openMemoryJournal();
    const archive = new MemoryArchive();
    const logged: ApiWorld["logged"] = [];
    const log = createLog({
      level: "warn",
      write: (line) => {
        const { level, msg, ...fields } = JSON.parse(line) as { level: string; msg: string };
        logged.push({ level, message: msg, fields });
      },
    });
    const payloads = await openPayloadStore({ dir: folder, log });
    const usage = { journalBytes: 0, share: 0 };
    const identity = {
      id: "m1",
      incarnation: "0123456789abcdef",
      addresses: [] as string[],
      levels: [1, 1] as const,
    };
    const wired = await wireWithout(identity, { journal, archive, payloads }, log);
    const others: Others = { live: [], newsAgeMs: 0, stepsDown: [] };
    const leadership = pretend(wired, others);
    const master: Master = {
      ...wired,
      leadership,
      peers: { followed() {}, appended() {}, live: () => others.live },
      files: new PeerFiles({ dir: folder, journalId: journal.journalId, archive }),
      keptLogs: new KeptLogs({
        store: new InlineLogs(join(folder, "logs")),
        token,
        others: () => others.addresses ?? [],
        log,
      }),
      identity,
      version: "0.0.0",
      token,
      journal,
      archive,
      payloads,
      log,
      isLeaving: false,
      startedWall: 1_700_000_000_000,
      settings: { strictQueues: false, allowedHosts: ["127.0.0.1", "localhost"] },
      usage: () => usage as Usage,
    };
    const api = createApi(master, options);
    const world: ApiWorld = new ApiWorld(
      { master, api, journal, archive, usage, others, logged },
      folder,
    );
    await new Promise<void>((resolve) => api.server.listen(0, "127.0.0.1", resolve));
    world.port = (api.server.address() as AddressInfo).port;
    identity.addresses.push(`http://127.0.0.1:${world.port}`);
    wired.leadership.start();
    world.stopMaster = () => {
      for (const part of [wired.leadership, wired.tail, wired.copies, wired.absences, wired.series])
        part.stop();
      wired.peers.stop("the test is over");
      wired.metrics.stop();
    };
    // What follows a leader's own affairs is asked of a leader only.
    while (!wired.loop.leads) await new Promise((resolve) => setImmediate(resolve));
    return world;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api.close();
    this.master.sessions.stop();
    this.master.loop.stop();
    this.stopMaster();
    await this.master.keptLogs.store[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true });
  }

  // ── a client ───────────────────────────────────────────────────────────────────────────

  call(method: string, path: string, asked: Asked = {}): Promise<Answered> {
    const { body, type, headers = {}, onPiece, signal } = asked;
    return new Promise((resolve, reject) => {
      const sent = httpRequest({
        port: this.port,
        host: "127.0.0.1",
        method,
        path,
        ...(signal && { signal }),
        headers: {
          ...("authorization" in headers ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": type ?? "application/json" }),
          ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
          ...defined(headers),
        },
      });
      sent.on("error", reject);
      sent.on("response", (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => {
          pieces.push(piece);
          onPiece?.(piece);
        });
        response.on("error", reject);
        response.on("end", () => {
          const bytes = Buffer.concat(pieces);
          const text = bytes.toString();
          const isJson = response.headers["content-type"]?.includes("json") ?? false;
          const json = isJson && !response.headers["content-type"]?.includes("nd");
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes,
            text,
            json: (json && text !== "" ? JSON.parse(text) : {}) as Answered["json"],
          });
        });
      });
      sent.end(body);
    });
  }

  get(path: string, asked: Asked = {}): Promise<Answered> {
    return this.call("GET", path, asked);
  }

  post(path: string, body?: unknown, asked: Asked = {}): Promise<Answered> {
    return this.call(
      "POST",
      path,
      body === undefined ? asked : { body: JSON.stringify(body), ...asked },
    );
  }

  /** Submits a job of a command, one task for each input. */
  async submit(inputs: readonly unknown[], more: object = {}, spec: object = {}): Promise<string> {
    const { status, json, text } = await this.post("/v1/jobs", {
      spec: { ...commandSpec, ...spec },
      inputs,
      ...more,
    });
    if (status !== 201) throw new Error(text);
    return json["id"] as string;
  }

  // ── a worker ───────────────────────────────────────────────────────────────────────────

  async register(id = "w1", amounts: Record<string, number> = { cpu: 4_000 }): Promise<number> {
    const info: WorkerInfo = {
      id,
      incarnation: "aaaaaaaaaaaaaaaa",
      version: "0.0.0",
      protocol: protocolVersion,
      hostname: "host",
      pid: 1,
      node: "v20",
      platform: "linux",
      address: "127.0.0.1:1",
      amounts,
      labels: {},
      pool: "default",
      namespace: "default",
      by: "token",
    };
    const request = { kind: "register", info, otherAnswers: false, started: [] } as const;
    return (await ask(this.master, request)).worker;
  }

  /** Reports ends of attempts as a worker would. */
  async report(worker: number, job: string, items: readonly Partial<OutcomeItem>[]): Promise<void> {
    const { loop } = this.master;
    const number = loop.peek((state) => state.jobNumbers.get(job) ?? 0);
    const block = encodeOutcomes(items.map(fullItem));
    const n = (this.#reports.get(worker) ?? 0) + 1;
    this.#reports.set(worker, n);
    await ask(this.master, {
      kind: "report",
      worker,
      incarnation: "aaaaaaaaaaaaaaaa",
      n,
      blocks: [{ job: number, bytes: block }],
      returned: [],
    });
  }

  /** Ends every task that is assigned to the worker, until nothing is. */
  async work(worker: number, job: string, answer: Answerer = echo): Promise<void> {
    for (;;) {
      const assigned = this.assigned(worker, job);
      if (assigned.length === 0) return;
      const items = assigned.map(({ task, attempt, input }) => {
        const { text, ...item } = answer(task, input);
        return { task, attempt, ...item, value: item.value ?? Buffer.from(text ?? input) };
      });
      await this.report(worker, job, items);
      await settled();
    }
  }

  assigned(worker: number, job: string): { task: number; attempt: number; input: string }[] {
    return this.master.loop.peek((state) => {
      const found = state.jobs.get(state.jobNumbers.get(job) ?? 0);
      if (!found) return [];
      return Array.from({ length: found.tasks.count }, (_, task) => task)
        .filter((task) => stateOf(found.tasks, task) === taskState.assigned)
        .filter((task) => found.tasks.run?.worker[task] === worker)
        .map((task) => {
          const part = found.parts.find((one) => task < one.first + one.count);
          const at = task - (part?.first ?? 0);
          const line = part?.bytes?.subarray(part.offsets?.[at], part.offsets?.[at + 1]);
          const input = Buffer.from(line ?? [])
            .toString()
            .trimEnd();
          return { task, attempt: attemptOf(found.tasks, task), input };
        });
    });
  }
}

/** A header that is undefined is not sent at all. */
function defined(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}

export const commandSpec = { task: "echo", code: { kind: "command", argv: ["echo"] } };

const echo: Answerer = (_task, input) => ({ text: input });

export function fullItem(item: Partial<OutcomeItem>): OutcomeItem {
  const value = item.value ?? new Uint8Array(0);
  return { task: 0, attempt: 1, code: 0, micros: 1_500, logBytes: 0, ...item, value };
}

/** Until what is under way in this process has been done. */
export async function settled(turns = 6): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Snapshots and history are no part of this; usage only says how much may be dispatched. */
function wireWithout(
  identity: LoopIdentity,
  own: Pick<Kept, "journal" | "archive" | "payloads">,
  log: Log,
): Promise<Wired> {
  const { journalId } = own.journal;
  const grounded = { state: createState(journalId), hash: "0".repeat(64), doubts: 0 };
  return wire({
    identity,
    token,
    version: "0.0.0",
    kept: { ...own, history: { add() {} }, snapshots: { serve() {}, appended() {} } } as never,
    usage: { dispatchMax: () => 20_000 } as never,
    log,
    others: () => [],
    ground: async () => grounded,
    halt: (why) => log.error("halted", { why }),
  });
}

/** Other masters are what a test says they are. */
function pretend({ loop }: Wired, others: Others): LeadershipView {
  return {
    stepDown(to, done) {
      others.stepsDown.push(to);
      done({ ok: true });
    },
    newsAgeMs: () => (loop.leads ? 0 : others.newsAgeMs),
    leaderElsewhere: () => (others.newsAgeMs <= limits.leaseMs ? "http://127.0.0.1:2" : undefined),
  };
}

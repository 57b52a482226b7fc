// CLI and SDK ask for nothing that does not stand in the table of routes, and so in the OpenAPI document.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, test } from "vitest";
import { createClient } from "../src/client/client.ts";
import { addresses } from "../src/client/paths.ts";
import type { Client } from "../src/client/index.ts";
import { routes } from "../src/protocol/routes.ts";
import type { RouteName } from "../src/protocol/routes.ts";

describe("CLI and SDK", () => {
  const folder = (path: string) => fileURLToPath(new URL(`../src/${path}`, import.meta.url));

  it("have no address of their own: those of the client are the table's", () => {
    for (const name of Object.keys(routes) as RouteName[]) {
      expect(addresses[name]).toEqual([routes[name].method, routes[name].path]);
    }
    const known = new Set(["client/paths.ts"]);
    const found: string[] = [];
    for (const layer of ["client", "sdk", "cli"]) {
      for (const file of readdirSync(folder(layer), { recursive: true, encoding: "utf8" })) {
        if (!file.endsWith(".ts") || /\.(test|fixture)\.ts$/.test(file)) continue;
        const path = `${layer}/${file}`;
        const text = readFileSync(join(folder(layer), file), "utf8");
        const code = text.replaceAll(/\/\/.*$|^\s*\*.*$/gm, "");
        if (/["'`]\/v1\b/.test(code) && !known.has(path)) found.push(path);
        // What talks HTTP beside the client's own transport would go past the table.
        const talks = /\bfrom "(undici|node:https?|node:net|ws)"|(?<![.#])\bfetch\(/.test(code);
        if (talks && !talkers.has(path)) found.push(path);
      }
    }
    expect(found).toEqual([]);
  });

  test("every call of the client asks for a route of the table, and takes its answer from there", async () => {
    const asked: string[] = [];
    const client = createClient({
      masters: ["http://m"],
      token: "t",
      retryMs: 0,
      transport: async ({ method, url }) => {
        asked.push(`${method} ${new URL(url).pathname}`);
        throw new Error("no master here");
      },
    });
    for (const call of Object.values(callsOf(client))) await call().catch(() => {});
    const table = Object.entries(routes).map(([name, { method, path }]) => {
      const pattern = path.replaceAll(/\/:[a-z]+/g, "/[^/]+");
      return [name, new RegExp(`^${method} ${pattern}$`)] as const;
    });
    for (const one of asked) {
      expect([one, table.some(([, pattern]) => pattern.test(one))]).toEqual([one, true]);
    }
    const unused = table.filter(([, pattern]) => !asked.some((one) => pattern.test(one)));
    // A page for people, and what workers alone send.
    expect(unused.map(([name]) => name).toSorted()).toEqual(["pushLogs", "reference"]);
  });
});

/** The client's transports; of the laptop cluster it is the pipes of its child; the doctor's looks at bare ports. */
const talkers = new Set([
  "client/transport.ts",
  "sdk/node-transport.ts",
  "sdk/laptop.ts",
  "cli/doctor/machine.ts",
]);

/** Every method once; a new one does not compile until it stands here. */
function callsOf(
  client: Client,
): Readonly<Record<Exclude<keyof Client, "clientId">, () => Promise<unknown>>> {
  const hash = "a".repeat(64);
  const first = (stream: AsyncIterable<unknown>) => stream[Symbol.asyncIterator]().next();
  return {
    version: () => client.version(),
    status: () => client.status(),
    openapi: () => client.openapi(),
    submit: () => client.submit({ spec: { task: "t", code: { kind: "command", argv: ["x"] } } }),
    part: () => client.part("4f2a", 0, "1\n"),
    close: () => client.close("4f2a"),
    jobs: () => client.jobs({ filter: "state:failed" }),
    job: () => client.job("4f2a"),
    cancelJob: () => client.cancelJob("4f2a"),
    retryJob: () => client.retryJob("4f2a"),
    cancelJobs: () => client.cancelJobs({ filter: "state:waiting" }),
    retryJobs: () => client.retryJobs({ filter: "state:failed" }),
    jobLogs: () => client.jobLogs("4f2a"),
    jobAttempts: () => client.jobAttempts("4f2a"),
    findTasks: () => client.findTasks({ filter: "state:failed" }),
    outcomes: () => first(client.outcomes("4f2a")),
    results: () => first(client.results("4f2a")),
    tasks: () => client.tasks("4f2a"),
    task: () => client.task("4f2a", 0),
    cancelTask: () => client.cancelTask("4f2a", 0),
    why: () => client.why("4f2a", 0),
    logs: () => first(client.logs("4f2a", 0)),
    putPayload: () => client.putPayload(hash, new Uint8Array(1)),
    payload: () => client.payload(hash),
    eventList: () => client.eventList(),
    // Alone it is opened anew for ever: an abort ends it.
    events: () => first(client.events({ signal: AbortSignal.timeout(100) })),
    workers: () => client.workers(),
    worker: () => client.worker("w1"),
    workerAttempts: () => client.workerAttempts("w1"),
    cordonWorker: () => client.cordonWorker("w1"),
    forgetWorker: () => client.forgetWorker("w1"),
    drainWorker: () => client.drainWorker("w1"),
    masters: () => client.masters(),
    stepDown: () => client.stepDown({}),
    loginCode: () => client.loginCode(),
    overview: () => client.overview(),
    series: () => client.series({ span: "24h" }),
    stream: () => client.stream("4f2a", { bars: 10 }),
    grid: () => client.grid("4f2a", { cells: 10 }),
    errors: () => client.errors("4f2a"),
    graph: () => client.graph("4f2a"),
    queue: () => client.queue("film"),
    queues: () => client.queues(),
    setQueue: () => client.setQueue("film", { paused: true }),
  };
}

import { afterEach, describe, expect, it } from "vitest";
import { limits } from "../protocol/limits.ts";
import { encodeLogRecord } from "../protocol/log-record.ts";
import { FakeMaster, problem } from "./fake-master.fixture.ts";
import { createClient, decodeOutcomes, SkeinError } from "./index.ts";
import type { Client, ClientOptions } from "./index.ts";
import { IdempotencyKeys } from "./keys.ts";
import { collect } from "./transport.ts";

const masters: FakeMaster[] = [];
afterEach(async () => {
  for (const master of masters.splice(0)) await master[Symbol.asyncDispose]();
});

async function started(options: Partial<ClientOptions> = {}) {
  const master = await new FakeMaster().start();
  masters.push(master);
  const client = createClient({ masters: [master.url], token: "secret", ...options });
  return { master, client };
}

const spec = { task: "t", code: { kind: "command" as const, argv: ["true"] } };
const submitLines = (client: Client, lines: string) => client.submit({ head: { spec }, lines });

function abortsAfter(ms: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error("enough")), ms);
  return controller.signal;
}

describe("a call", () => {
  it("sends the same idempotency key over all tries, and another for the next submit", async () => {
    const { master, client } = await started({ clientId: "me" });
    master.refuse(/POST/, new SkeinError("outcome_unknown", "not known yet"), 2);
    await submitLines(client, "1\n");
    await submitLines(client, "2\n");
    expect(master.seen.map(({ key }) => key)).toEqual([
      "skein:me:1",
      "skein:me:1",
      "skein:me:1",
      "skein:me:2",
    ]);
    expect(master.jobs.size).toBe(2);
  });

  it("is sent again when the connection is cut before the answer", async () => {
    const { master, client } = await started();
    let cuts = 2;
    master.hooks.push((_, response) => cuts-- > 0 && Boolean(response.destroy()));
    await submitLines(client, "1\n");
    expect(new Set(master.seen.map(({ key }) => key)).size).toBe(1);
    expect(master.seen).toHaveLength(3);
  });

  it("goes to the next master when one does not lead or does not answer", async () => {
    const { master, client } = await started();
    const standby = await new FakeMaster().start();
    masters.push(standby);
    standby.refuse(/./, new SkeinError("not_leading", "a standby"), 10);
    const both = createClient({
      masters: ["http://127.0.0.1:1", standby.url, master.url],
      token: "secret",
    });
    const job = await submitLines(both, "1\n");
    expect((await client.job(job.id)).id).toBe(job.id);
    expect(standby.seen).toHaveLength(1);
  });

  it("waits as long as Retry-After says", async () => {
    const { master, client } = await started();
    master.refuse(/POST/, new SkeinError("overloaded", "full", { retryAfter: 1 }));
    const begin = performance.now();
    await submitLines(client, "1\n");
    expect(performance.now() - begin).toBeGreaterThan(950);
  });

  it("gives up at once when Retry-After lies beyond its bound", async () => {
    const { master, client } = await started({ retryMs: 5_000 });
    master.refuse(/POST/, new SkeinError("queue_full", "full", { retryAfter: 60 }));
    const error = await submitLines(client, "1\n").catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "queue_full", details: { retryAfter: 60 } });
  });

  it("says what does not answer, and how long it tried", async () => {
    const client = createClient({ masters: ["http://127.0.0.1:1"], token: "t", retryMs: 200 });
    await expect(client.status()).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/127\.0\.0\.1:1 does not answer: .* \(\d+ tries, 0\.\d s\)/),
    });
  });

  it("turns a problem into its SkeinError, without trying again", async () => {
    const { master, client } = await started();
    const fields = [{ pointer: "/spec/priority", detail: "too high" }];
    master.refuse(/POST/, new SkeinError("invalid", "no", { fields, hint: "lower it" }));
    await expect(submitLines(client, "1\n")).rejects.toMatchObject({
      code: "invalid",
      hint: "lower it",
      details: { fields },
    });
    expect(master.seen).toHaveLength(1);
  });

  it("knows an answer that is not from a master by its status", async () => {
    const { master, client } = await started();
    master.hooks.push((_, response) => Boolean(response.writeHead(404).end("<html>")));
    await expect(client.status()).rejects.toMatchObject({ code: "not_found" });
  });

  it("ends with the signal's reason, while it waits for an answer or for the next try", async () => {
    const { master, client } = await started();
    master.hooks.push(() => true);
    const aborted = abortsAfter(50);
    await expect(client.status({ signal: aborted })).rejects.toThrow("enough");
    master.hooks.splice(0, 1, (_, response) => {
      problem(response, new SkeinError("overloaded", "full", { retryAfter: 20 }));
      return true;
    });
    const again = abortsAfter(50);
    await expect(client.status({ signal: again })).rejects.toThrow("enough");
  });

  it("that was aborted cancels the job it may have made", async () => {
    const { master, client } = await started();
    master.hooks.push((seen) => seen.path.includes("wait="));
    const signal = abortsAfter(50);
    const submit = client.submit(
      { head: { spec }, lines: "1\n" },
      { waitMs: 10_000, cancelOnAbort: true, signal },
    );
    await expect(submit).rejects.toThrow("enough");
    expect([...master.jobs.values()].map(({ cancelled }) => cancelled)).toEqual([true]);
    expect(new Set(master.seen.map(({ key }) => key).filter(Boolean)).size).toBe(1);
  });

  it("refuses an address that is none", () => {
    const make = () => createClient({ masters: ["127.0.0.1:7420"], token: "t" });
    expect(make).toThrow(/no address of a master/);
  });
});

describe("idempotency keys", () => {
  it("are refused under a client id that a master would not read back", () => {
    expect(() => new IdempotencyKeys("my app")).toThrow(/"my app" is no client id/);
  });

  it("never run more than the window ahead of the oldest request in flight", async () => {
    const keys = new IdempotencyKeys("me");
    let release = () => {};
    const slow = keys.use(undefined, async (key) => {
      await new Promise<void>((resolve) => (release = resolve));
      return key;
    });
    const used: string[] = [];
    for (let i = 0; i < limits.clientWindow + 10; i++) {
      await keys.use(undefined, async (key) => void used.push(key));
    }
    release();
    expect(await slow).toBe("skein:me:1");
    expect(used.at(limits.clientWindow - 2)).toBe(`skein:me:${limits.clientWindow}`);
    expect(used.at(limits.clientWindow - 1)).toBe("skein:me.1:1");
    expect(new Set(used).size).toBe(used.length);
  });

  it("hold back what exceeds the window, and let it go when one has left", async () => {
    const keys = new IdempotencyKeys("me");
    const releases: (() => void)[] = [];
    const hold = () =>
      keys.use(undefined, () => new Promise<void>((resolve) => releases.push(resolve)));
    const all = Array.from({ length: limits.clientWindow + 1 }, hold);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(releases).toHaveLength(limits.clientWindow);
    releases.shift()?.();
    await all[0];
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const release of releases) release();
    await Promise.all(all);
  });
});

describe("a stream", () => {
  const tasksOf = async (client: Client, job: string) => {
    const tasks: number[] = [];
    const kinds: string[] = [];
    for await (const event of client.outcomes(job, { follow: true })) {
      kinds.push(event.kind);
      if (event.kind === "block") tasks.push(...decodeOutcomes(event.block).tasks);
    }
    return { tasks, kinds };
  };

  it("of outcomes goes on after each cut without loss or repeat", async () => {
    const { master, client } = await started();
    master.blockTasks = 3;
    master.cutAfterRecords = 2;
    const numbers = Array.from({ length: 20 }, (_, i) => i);
    const job = await submitLines(client, numbers.map((i) => `${i}\n`).join(""));
    const { tasks, kinds } = await tasksOf(client, job.id);
    expect(tasks).toEqual(numbers);
    expect(kinds.filter((kind) => kind === "end")).toHaveLength(1);
    expect(master.paths().filter((path) => path.includes("after=")).length).toBeGreaterThan(2);
  });

  it("that never brings a byte is given up", async () => {
    const { master, client } = await started();
    const job = await submitLines(client, "1\n");
    master.hooks.push((seen, response) => {
      if (!seen.path.includes("outcomes")) return false;
      response.writeHead(200).flushHeaders();
      response.destroy();
      return true;
    });
    await expect(tasksOf(client, job.id)).rejects.toMatchObject({ code: "unreachable" });
  });

  it("of results resumes at the line where it was cut", async () => {
    const { master, client } = await started();
    const job = await submitLines(client, "1\n2\n3\n4\n");
    let cut = true;
    master.hooks.push((seen, response) => {
      if (!seen.path.includes("results") || !cut) return false;
      cut = false;
      response.write("1\n2\n3", () => response.destroy());
      return true;
    });
    const lines: string[] = [];
    for await (const line of client.results(job.id, { follow: true })) lines.push(line);
    expect(lines).toEqual(["1", "2", "3", "4"]);
  });

  it("of logs resumes at the record where it was cut, at the same attempt", async () => {
    const { master, client } = await started();
    const job = await submitLines(client, "1\n");
    const records = [
      encodeLogRecord("stdout", Buffer.from("one")),
      encodeLogRecord("stderr", Buffer.from("two")),
      encodeLogRecord("stdout", Buffer.from("three")),
    ];
    const all = Buffer.concat(records);
    master.hooks.push((seen, response) => {
      if (!seen.path.includes("/logs")) return false;
      const query = new URL(seen.path, master.url).searchParams;
      const from = Number(query.get("from"));
      response.writeHead(200, { "skein-attempt": "2" });
      if (from > 0) response.end(all.subarray(from));
      else response.write(all.subarray(0, 20), () => response.destroy());
      return true;
    });
    const said: string[] = [];
    for await (const record of client.logs(job.id, 0, { stream: "stdout", follow: true })) {
      said.push(Buffer.from(record.bytes).toString());
    }
    expect(said).toEqual(["one", "three"]);
    expect(master.paths().at(-1)).toContain("from=16&attempt=2");
  });
});

describe("the fetch transport", () => {
  it("rejects after the silence it is given, before and inside an answer", async () => {
    const { master } = await started();
    const { fetchTransport } = await import("./transport.ts");
    const request = {
      method: "GET",
      url: `${master.url}/v1/version`,
      headers: { authorization: "Bearer secret" },
      body: undefined,
      signal: undefined,
      silenceMs: 100,
    };
    expect((await fetchTransport(request)).status).toBe(200);
    master.hooks.push(() => true);
    await expect(fetchTransport(request)).rejects.toThrow("no byte for 100 ms");
    master.hooks.splice(0, 1, (_, response) => response.write("half"));
    const response = await fetchTransport(request);
    await expect(collect(response.body)).rejects.toThrow("no byte for 100 ms");
  });
});

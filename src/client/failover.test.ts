import { afterEach, describe, expect, it } from "vitest";
import { SkeinError as Failure } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { FakeMaster } from "./fake-master.fixture.ts";
import { createClient } from "./index.ts";
import { MasterList } from "./master-list.ts";

const masters: FakeMaster[] = [];
afterEach(async () => {
  for (const master of masters.splice(0)) await master[Symbol.asyncDispose]();
});

async function start(): Promise<FakeMaster> {
  const master = await new FakeMaster().start();
  masters.push(master);
  return master;
}

const spec = { task: "t", code: { kind: "command" as const, argv: ["true"] } };
const token = "secret";
const standsBy = (leader?: string) =>
  new Failure("not_leading", "a standby", leader === undefined ? {} : { leader });

describe("a client of several masters", () => {
  it("goes to the leader that a standby names, though nobody told it of that one", async () => {
    const [standby, leader] = [await start(), await start()];
    standby.refuse(/POST/, standsBy(leader.url), 10);
    const client = createClient({ masters: [standby.url], token });
    const job = await client.submit({ head: { spec }, lines: "1\n" });
    await client.job(job.id);
    expect(standby.paths()).toEqual(["POST /v1/jobs"]);
    expect(leader.seen).toHaveLength(2);
    expect(new Set([...standby.seen, ...leader.seen].flatMap(({ key }) => key ?? [])).size).toBe(1);
  });

  it("waits when two masters name each other", async () => {
    const [one, other] = [await start(), await start()];
    one.refuse(/POST/, standsBy(other.url), 1_000);
    other.refuse(/POST/, standsBy(one.url), 1_000);
    const client = createClient({ masters: [one.url], token, retryMs: 600 });
    await expect(client.submit({ spec })).rejects.toMatchObject({ code: "not_leading" });
    expect(one.seen.length + other.seen.length).toBeLessThan(60);
  });

  it("forgets an address that it learned and that belongs to somebody else", async () => {
    const [leader, foreign] = [await start(), await start()];
    foreign.refuse(/./, new Failure("unauthorized", "not this cluster's"), 1_000);
    leader.refuse(/POST/, standsBy(foreign.url), 1);
    const client = createClient({ masters: [leader.url], token });
    await client.submit({ head: { spec }, lines: "1\n" });
    expect(foreign.seen).toHaveLength(1);
    expect(leader.seen).toHaveLength(2);
  });

  it("asks a master that is behind for no less than it has seen", async () => {
    const [first, second] = [await start(), await start()];
    first.hooks.push((_, response) => void response.setHeader("skein-index", "41"));
    const client = createClient({ masters: [first.url, second.url], token });
    await client.version();
    await first[Symbol.asyncDispose]();
    second.refuse(/GET/, new Failure("stalled", "stands at 12", { retryAfter: 1 }), 1);
    await client.version();
    expect(second.paths()[0]).toBe("GET /v1/version?atLeast=41");
  });

  it("makes one step when many calls fail at one master", async () => {
    const [second, third] = [await start(), await start()];
    const client = createClient({
      masters: ["http://127.0.0.1:1", second.url, third.url],
      token,
    });
    await Promise.all(Array.from({ length: 7 }, () => client.version()));
    expect([second.seen.length, third.seen.length]).toEqual([7, 0]);
  });

  it("learns no more than it may, and keeps what it was given", () => {
    const list = new MasterList(["http://a:1/", "http://b:1"]);
    list.learn(Array.from({ length: 40 }, (_, n) => `http://c:${n + 1}`));
    expect(list.size).toBe(limits.mastersKnownMax);
    expect(list.isWrong("http://a:1")).toBe(false);
    expect(list.isWrong("http://c:1")).toBe(true);
    expect(list.learn(["http://c:1", "nonsense", "file:///etc"])).toEqual([]);
    expect(() => new MasterList(["nonsense"])).toThrow(/no address/);
  });
});

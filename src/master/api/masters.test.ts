import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Standby } from "../peers.ts";
import { ApiWorld, settled } from "./api-world.fixture.ts";

const standby = (id: string, more: Partial<Standby> = {}): Standby => ({
  id,
  incarnation: "fedcba9876543210",
  addresses: [`http://127.0.0.1:${id.slice(1)}`],
  version: "0.0.0",
  levels: [1, 1],
  clockMs: 12,
  applied: 1,
  watermark: 1,
  snapshot: 0,
  doubts: 0,
  ...more,
});

let world: ApiWorld;
beforeAll(async () => {
  world = await ApiWorld.open();
  await world.submit([1]);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.others.live = [];
  world.others.newsAgeMs = 0;
  world.others.stepsDown.length = 0;
});

/** As if another master led, in the eyes of this one. */
async function whileAnotherLeads<T>(then: () => Promise<T>): Promise<T> {
  const { loop } = world.master;
  const own = loop.peek((state) => state.leader);
  const other = { id: "m2", incarnation: "x", addresses: ["http://127.0.0.1:2"], process: null };
  loop.peek((state) => {
    state.leader = { ...other, term: 1, electedAt: 0, electedWall: 0 };
  });
  Object.defineProperty(loop, "leads", { value: false, configurable: true });
  try {
    return await then();
  } finally {
    Reflect.deleteProperty(loop, "leads");
    loop.peek((state) => {
      state.leader = own;
    });
  }
}

describe("GET /v1/masters", () => {
  test("of one master alone", async () => {
    const { json } = await world.get("/v1/masters");
    const index = world.master.loop.durableIndex;
    expect(json).toMatchObject({
      term: 1,
      survives: "Nothing survives: the journal is in memory.",
    });
    expect(json["items"]).toMatchObject([
      { id: "m1", state: "leading", term: 1, applied: index, lag: 0, clockMs: 0 },
    ]);
  });

  test("shows who stands by and how far behind, and who is away", async () => {
    world.master.loop.peek((state) => {
      for (const id of ["m2", "m3"]) state.masters.set(id, { ...standby(id), process: null });
    });
    world.others.live = [standby("m2", { applied: 1 })];
    const { json } = await world.get("/v1/masters");
    const lag = world.master.loop.durableIndex - 1;
    expect(json["items"]).toMatchObject([
      { id: "m1", state: "leading" },
      { id: "m2", state: "standing by", applied: 1, lag, clockMs: 12 },
      { id: "m3", state: "away", applied: null, address: "http://127.0.0.1:3" },
    ]);
    const status = (await world.get("/v1/status")).json;
    expect(status).toMatchObject({
      leader: { id: "m1", term: 1 },
      masters: { standingBy: ["m2"], away: ["m3"], unknown: [] },
    });
  });

  test("of a standby: who leads, and that it knows nothing of the others", async () => {
    await whileAnotherLeads(async () => {
      const { json } = await world.get("/v1/masters");
      expect(json["items"]).toMatchObject([
        { id: "m1", state: "standing by", lag: null },
        { id: "m2", state: "leading", term: 1 },
        { id: "m3", state: "unknown" },
      ]);
      world.others.newsAgeMs = 60_000;
      const stale = (await world.get("/v1/masters")).json["items"];
      expect(stale).toMatchObject([{ id: "m1" }, { id: "m2", state: "unknown" }, {}]);
      expect((await world.get("/v1/status")).json).toMatchObject({ leader: null });
    });
  });
});

describe("POST /v1/masters/step-down", () => {
  const stepDown = (body: object) => world.post("/v1/masters/step-down", body);

  test("gives the lead to a standby, or to any", async () => {
    world.others.live = [standby("m2")];
    expect((await stepDown({ to: "m2" })).json).toEqual({
      id: "m1",
      term: 1,
      to: "m2",
      done: true,
    });
    expect((await stepDown({})).json).toMatchObject({ to: null });
    expect(world.others.stepsDown).toEqual(["m2", null]);
  });

  test("is refused when nobody, or not that one, stands by", async () => {
    const alone = await stepDown({});
    expect([alone.status, alone.json["code"]]).toEqual([409, "conflict"]);
    expect(alone.json["detail"]).toContain("no other master stands by");
    world.others.live = [standby("m2")];
    for (const to of ["m3", "m1"]) {
      const { status, json } = await stepDown({ to });
      expect([status, json["hint"]]).toEqual([409, "These stand by: m2."]);
    }
    expect(world.others.stepsDown).toEqual([]);
  });

  test("that is sent again for a term that has ended does nothing", async () => {
    world.others.live = [standby("m2")];
    world.master.loop.peek((state) => (state.term += 4));
    try {
      expect((await stepDown({ term: 4 })).json).toMatchObject({ done: true, term: 4 });
      expect((await stepDown({ term: 5 })).json).toMatchObject({ done: true, term: 5 });
      expect(world.others.stepsDown).toEqual([null]);
    } finally {
      world.master.loop.peek((state) => (state.term -= 4));
    }
  });

  test("names the leader when it is asked of another", async () => {
    await whileAnotherLeads(async () => {
      const { status, json } = await stepDown({});
      expect([status, json["code"], json["leader"]]).toEqual([
        503,
        "not_leading",
        "http://127.0.0.1:2",
      ]);
    });
  });
});

describe("a read (L5)", () => {
  const reads = ["/v1/status", "/v1/jobs", "/v1/nothing", "/v1/payloads/" + "0".repeat(64)];
  test.each(reads)("%s says what its answer rests on", async (path) => {
    const { headers } = await world.get(path);
    expect(headers).toMatchObject({ "skein-term": "1", "skein-age-ms": "0" });
    expect(headers["skein-index"]).toBe(String(world.master.loop.durableIndex));
  });

  test("as a stream does so too", async () => {
    const job = await world.submit([1]);
    const { headers } = await world.get(`/v1/jobs/${job}/outcomes`);
    expect(headers["skein-index"]).toBe(String(world.master.loop.durableIndex));
  });

  test("of a standby says how old it is", async () => {
    await whileAnotherLeads(async () => {
      world.others.newsAgeMs = 340;
      const { headers } = await world.get("/v1/status");
      expect(headers["skein-age-ms"]).toBe("340");
    });
  });

  test("waits until the batch that it asks for is applied", async () => {
    const next = world.master.loop.durableIndex + 1;
    const waiting = world.get(`/v1/status?atLeast=${next}`);
    await world.submit([2]);
    const { status, json } = await waiting;
    expect(status).toBe(200);
    expect((json["journal"] as { index: number }).index).toBeGreaterThanOrEqual(next);
    const far = await world.get("/v1/status?atLeast=1000000");
    expect([far.status, far.json["code"]]).toEqual([503, "stalled"]);
    expect(far.json["detail"]).toContain("Batch 1000000 is not applied here");
    expect((await world.get("/v1/status?atLeast=soon")).status).toBe(400);
  }, 20_000);

  test("that is strong is answered by the leader alone, once the journal says that it leads", async () => {
    expect((await world.get("/v1/status?strong=true")).status).toBe(200);
    await whileAnotherLeads(async () => {
      const { status, json } = await world.get("/v1/status?strong=true");
      expect([status, json["leader"]]).toEqual([503, "http://127.0.0.1:2"]);
    });
    const { journal } = world;
    const head = journal.head.bind(journal);
    const deposed = { ...(await head()), term: 9 };
    let asked = 0;
    let holds = true;
    const held: (() => void)[] = [];
    // Others than reads may ask too: each gets its own answer.
    journal.head = () => {
      asked++;
      return new Promise((resolve) => {
        if (holds) held.push(() => resolve(deposed));
        else resolve(deposed);
      });
    };
    let arrived = 0;
    const arrives = () => arrived++;
    world.api.server.on("request", arrives);
    const patient = { timeout: 10_000 };
    const all: Promise<number>[] = [];
    try {
      const ask = () => world.get("/v1/status?strong=true").then(({ status }) => status);
      all.push(ask());
      await expect.poll(() => asked, patient).toBeGreaterThan(0);
      for (let i = 0; i < 20; i++) all.push(ask());
      await expect.poll(() => arrived, patient).toBeGreaterThanOrEqual(21);
      await settled(50);
      // All wait by now; one that is slower than that costs one more question.
      holds = false;
      for (const answer of held) answer();
      expect(new Set(await Promise.all(all))).toEqual(new Set([503]));
      expect(asked).toBeLessThan(6);
    } finally {
      for (const answer of held) answer();
      world.api.server.off("request", arrives);
      journal.head = head;
    }
  });

  test("of what a standby lacks names the leader", async () => {
    await whileAnotherLeads(async () => {
      const path = `/v1/payloads/${"0".repeat(64)}`;
      expect((await world.get(path)).json["leader"]).toBe("http://127.0.0.1:2");
      const put = { body: "x", type: "application/octet-stream" };
      expect((await world.call("PUT", path, put)).json["leader"]).toBe("http://127.0.0.1:2");
    });
  });
});

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { ApiWorld, token } from "./api-world.fixture.ts";

let world: ApiWorld;
beforeEach(async () => {
  world = await ApiWorld.open();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const nobody = { headers: { authorization: undefined } };

describe("without a token", () => {
  test("a probe answers one word and nothing of the cluster", async () => {
    for (const [path, word] of [
      ["/livez", "alive"],
      ["/readyz", "ready"],
    ] as const) {
      const { status, text, headers } = await world.get(path, nobody);
      expect([status, text]).toEqual([200, `${word}\n`]);
      expect(Object.keys(headers).filter((name) => name.startsWith("skein-"))).toEqual([]);
    }
  });

  test("a master that is not ready says no more than that", async () => {
    world.master.isLeaving = true;
    const { status, text } = await world.get("/readyz", nobody);
    expect([status, text]).toEqual([503, "unready\n"]);
    expect((await world.get("/livez", nobody)).status).toBe(200);
  });

  test("only the bare question is answered", async () => {
    for (const path of ["/readyz?verbose", "/livez?", "/readyz/", "/livez/x", "/metrics"]) {
      expect([path, (await world.get(path, nobody)).status]).toEqual([path, 401]);
    }
    expect((await world.post("/readyz", undefined, nobody)).status).toBe(401);
  });

  test("a foreign Host or origin, and a wrong token, are turned away as everywhere", async () => {
    const knock = async (headers: Record<string, string>) =>
      (await world.get("/readyz", { headers })).status;
    expect(await knock({ host: "evil.example" })).toBe(421);
    expect(await knock({ origin: "https://evil.example" })).toBe(403);
    expect(await knock({ authorization: `Bearer ${token}x` })).toBe(401);
    expect(await knock({ authorization: "" })).toBe(401);
  });
});

describe("with a token", () => {
  test("?verbose lists what was looked at", async () => {
    const { text } = await world.get("/readyz?verbose");
    expect(text).toBe(
      "ready\nleader: good\nstate: good\nlag: good\narchive: good\nleaving: good\n",
    );
    expect((await world.get("/livez?verbose")).text).toBe("alive\nloop: good\n");
  });

  test("a master that is being stopped says so", async () => {
    world.master.isLeaving = true;
    const { status, text } = await world.get("/readyz");
    expect([status, text]).toEqual([503, "unready\nleaving: this master is being stopped\n"]);
  });

  test("a master whose loop has stopped is not ready, and alive all the same", async () => {
    world.master.loop.stop();
    const { status, text } = await world.get("/readyz");
    expect(status).toBe(503);
    expect(text).toContain("leader: this master has stopped");
    expect((await world.get("/livez")).status).toBe(200);
  });

  test("a standby is ready while it knows a leader and is not far behind", async () => {
    const { loop } = world.master;
    await new Promise((resolve) => loop.resign(null, resolve));
    expect((await world.get("/readyz")).text).toContain("leader: no master is known to lead");
    world.others.newsAgeMs = limits.readyLagMs;
    expect((await world.get("/readyz")).text).toContain("lag: its state may be 5.0 s old");
  });
});

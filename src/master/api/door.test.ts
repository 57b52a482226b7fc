import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { routes } from "../../protocol/routes.ts";
import type { Route } from "../../protocol/route.ts";
import { ApiWorld, commandSpec, token } from "./api-world.fixture.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await ApiWorld.open();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const all = Object.entries(routes).map(([name, route]: [string, Route]) => {
  const params: Record<string, string> = {
    job: "0123456789abcdef",
    hash: "0".repeat(64),
    task: "0",
    part: "0",
    worker: "w1",
    queue: "default",
  };
  const path = route.path.replace(/:([a-z]+)/g, (_, key: string) => params[key] ?? "x");
  return { name, method: route.method, path };
});
const reads = all.filter(({ method }) => method === "GET");
const heads = reads.map(({ name, path }) => ({ name: `${name} as HEAD`, method: "HEAD", path }));
const unknown = ["GET", "POST", "OPTIONS", "DELETE"].map((method) => ({
  name: `an unknown route by ${method}`,
  method,
  path: "/v1/nothing-here",
}));

describe.each([...all, ...heads, ...unknown])("$name", ({ method, path }) => {
  const knock = async (headers: Record<string, string>) =>
    (await world.call(method, path, { headers })).status;

  test("does not answer without a token", async () => {
    expect(await knock({ authorization: "" })).toBe(401);
    expect(await knock({ authorization: "Bearer " })).toBe(401);
    expect(await knock({ authorization: `Bearer ${token}x` })).toBe(401);
    expect(await knock({ authorization: `Bearer ${"x".repeat(token.length)}` })).toBe(401);
    expect(await knock({ authorization: `Basic ${token}` })).toBe(401);
    expect(await knock({ authorization: token })).toBe(401);
  });

  test("does not answer to a foreign Host", async () => {
    expect(await knock({ host: "evil.example" })).toBe(421);
    expect(await knock({ host: `127.0.0.1.evil.example:${world.port}` })).toBe(421);
    expect(await knock({ host: "evil.example#@127.0.0.1:80" })).toBe(421);
  });

  test("does not answer to a page of another origin", async () => {
    expect(await knock({ origin: "https://evil.example" })).toBe(403);
    expect(await knock({ origin: "null" })).toBe(403);
    expect(await knock({ origin: "http://127.0.0.1:1" })).toBe(403);
  });
});

describe("the door", () => {
  test("is open to the master's own origin", async () => {
    const origin = `http://127.0.0.1:${world.port}`;
    expect((await world.get("/v1/version", { headers: { origin } })).status).toBe(200);
  });

  test("is closed to unsafe requests that another site sent", async () => {
    const headers = { "sec-fetch-site": "cross-site" };
    expect((await world.post("/v1/jobs", {}, { headers })).status).toBe(403);
  });

  test("takes any of its names with any port", async () => {
    expect((await world.get("/v1/version", { headers: { host: "LOCALHOST:99" } })).status).toBe(
      200,
    );
  });

  test("says why, with an id, and never more than that", async () => {
    const { headers, json } = await world.get("/v1/status", { headers: { authorization: "" } });
    expect(headers["www-authenticate"]).toContain("Bearer");
    expect(json).toMatchObject({ code: "unauthorized", status: 401 });
    expect(json["instance"]).toMatch(/^01234567-/);
  });

  test("does not read the body of a request that it turns away", async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(world.port, "127.0.0.1");
      const head = `PUT /v1/payloads/${"0".repeat(64)} HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
      let text = "";
      socket.on("data", (data) => (text += String(data)));
      socket.on("error", reject);
      socket.on("close", () => resolve(text));
      socket.write(`${head}Content-Length: 1000000000\r\n\r\nonly the beginning`);
    });
    expect(answer).toContain("HTTP/1.1 401");
    expect(answer.toLowerCase()).toContain("connection: close");
  });

  test("checks upgrades as it checks unsafe methods", () => {
    const upgrade = (headers: Record<string, string>) =>
      world.api.checkDoor({
        method: "GET",
        headers: { host: "127.0.0.1", upgrade: "websocket", ...headers },
      } as never)?.status;
    const authorization = `Bearer ${token}`;
    expect(upgrade({ authorization })).toBeUndefined();
    expect(upgrade({})).toBe(401);
    expect(upgrade({ authorization, "sec-fetch-site": "cross-site" })).toBe(403);
    expect(upgrade({ authorization, origin: "https://evil.example" })).toBe(403);
    expect(upgrade({ authorization, host: "evil.example" })).toBe(421);
  });
});

describe("the edge", () => {
  test("takes only the content types that a route names", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json2"]) {
      const { status, json } = await world.call("POST", "/v1/jobs", { body: "{}", type });
      expect([type, status, json["code"]]).toEqual([type, 415, "unsupported_media"]);
    }
    const part = { body: "{}", type: "application/json" };
    expect((await world.call("PUT", "/v1/jobs/0123/parts/0", part)).status).toBe(415);
    expect(
      (
        await world.call("POST", "/v1/jobs/0123/cancel", {
          body: "1\n",
          type: "application/x-ndjson",
        })
      ).status,
    ).toBe(415);
  });

  test("answers an unknown route, a broken address and a broken body in one format", async () => {
    const broken = { body: "{", type: "application/json" };
    for (const [answer, status] of [
      [await world.get("/v1/nothing"), 404],
      [await world.get("/v1/jobs/%zz"), 400],
      [await world.get("/v1/jobs/not-hex"), 400],
      [await world.get("/v1/jobs?limit=0"), 400],
      [await world.call("POST", "/v1/jobs/0123456789abcdef/cancel", broken), 400],
      [await world.get("/v1/jobs/0123456789abcdef"), 404],
    ] as const) {
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(answer.json).toMatchObject({ status });
      expect(answer.json["instance"]).toMatch(/^01234567-/);
      expect(answer.text).not.toContain("node_modules");
    }
  });

  test("never shows what the master did not expect, and logs it under the same id", async () => {
    const { archive } = world;
    const real = archive.jobs.bind(archive);
    archive.jobs = () => Promise.reject(new Error("secret detail"));
    const { status, text, json } = await world.get("/v1/jobs");
    archive.jobs = real;
    expect(status).toBe(500);
    expect(text).not.toContain("secret detail");
    const logged = world.logged.find(({ fields }) => fields["requestId"] === json["instance"]);
    expect(logged?.fields["error"]).toContain("secret detail");
  });

  test("gives up an answer that the journal holds back for too long", async () => {
    await using stuck = await ApiWorld.open({ answerMs: 50 });
    await stuck.submit([1]);
    stuck.journal.latencyMs = 10_000_000;
    const lost = await stuck.post("/v1/jobs", { spec: commandSpec, inputs: [1] });
    expect([lost.status, lost.json["code"]]).toEqual([503, "outcome_unknown"]);
    for (const path of ["/v1/status", "/v1/jobs/0123456789abcdef/outcomes"]) {
      const { status, json, headers } = await stuck.get(path);
      expect([status, json["code"], headers["retry-after"]]).toEqual([503, "stalled", "1"]);
    }
  });

  test("answers bytes that are no HTTP request", async () => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(world.port, "127.0.0.1");
      let text = "";
      socket.on("data", (data) => (text += String(data)));
      socket.on("close", () => resolve(text));
      socket.write("this is nothing\r\n\r\n");
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain("application/problem+json");
  });
});

describe("the description", () => {
  test("has every route, with its parameters, bodies and answers", async () => {
    const { json } = await world.get("/v1/openapi.json");
    const paths = json["paths"] as Record<string, Record<string, Record<string, unknown>>>;
    for (const [name, route] of Object.entries(routes) as [string, Route][]) {
      const operation =
        paths[route.path.replace(/\/:([a-z]+)/g, "/{$1}")]?.[route.method.toLowerCase()];
      expect(operation).toMatchObject({ operationId: name, summary: route.summary });
    }
    const submit = paths["/v1/jobs"]?.["post"];
    expect(submit?.["requestBody"]).toMatchObject({
      required: true,
      content: {
        "application/json": { schema: { required: ["spec"] } },
        "application/x-ndjson": {},
      },
    });
    const outcomes = paths["/v1/jobs/{job}/outcomes"]?.["get"];
    expect(outcomes?.["parameters"]).toMatchObject([
      { name: "job", in: "path", required: true },
      { name: "after", in: "query", required: false },
      { name: "follow", in: "query", required: false },
      { name: "atLeast", in: "query", required: false },
      { name: "strong", in: "query", required: false },
    ]);
    const answer = {
      content: { "application/vnd.skein.outcomes": {}, "application/x-ndjson": {} },
    };
    expect(outcomes?.["responses"]).toMatchObject({ 200: answer });
  });
});

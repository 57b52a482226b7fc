// The ways into the dashboard, attacked: a door is as good as what it keeps out.

import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Clock } from "../../lib/clock.ts";
import { limits } from "../../protocol/limits.ts";
import { ApiWorld, token } from "./api-world.fixture.ts";
import { Login } from "./login.ts";

let world: ApiWorld;
let dir: string;
const other = "http://127.0.0.1:2";

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "skein-dashboard-"));
  await mkdir(join(dir, "assets"));
  await writeFile(join(dir, "index.html"), "<!doctype html><title>Skein</title>");
  await writeFile(join(dir, "assets", "main-abc.js"), "alert(1)");
  await writeFile(join(dir, "assets", "main-abc.js.gz"), "packed");
  await writeFile(join(dir, "assets", "notes.txt"), "not a file of the page");
  world = await ApiWorld.open({ dashboardDir: dir });
  world.master.loop.peek((state) => {
    const [first] = state.masters.values();
    if (first) state.masters.set("m2", { ...first, id: "m2", addresses: [other] });
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

const none = { authorization: "" };
const own = () => `http://127.0.0.1:${world.port}`;

function login(code: string, headers: Record<string, string> = {}) {
  return world.post("/v1/login", { code }, { headers: { ...none, origin: own(), ...headers } });
}

async function newCode(): Promise<string> {
  return (await world.post("/v1/login-codes", {})).json["code"] as string;
}

async function session() {
  const { json, headers } = await login(await newCode());
  const [setCookie = ""] = headers["set-cookie"] ?? [];
  const cookie = setCookie.split(";", 1)[0] ?? "";
  return { ...none, cookie, "skein-page": json["key"] as string, setCookie };
}

describe("a login code", () => {
  test("comes for the token alone, in an address whose request never carries it", async () => {
    const { status, json, headers } = await world.post("/v1/login-codes", {});
    expect([status, headers["cache-control"]]).toEqual([201, "no-store"]);
    const url = new URL(json["url"] as string);
    expect([url.origin, url.pathname, url.search]).toEqual([own(), "/login", ""]);
    expect(url.hash).toBe(`#${json["code"] as string}`);
    expect((await world.post("/v1/login-codes", {}, { headers: none })).status).toBe(401);
    const { setCookie: _, ...headersOfSession } = await session();
    const asked = await world.post("/v1/login-codes", {}, { headers: headersOfSession });
    expect([asked.status, asked.json["code"]]).toEqual([401, "unauthorized"]);
  });

  test("is good once", async () => {
    const code = await newCode();
    expect((await login(code)).status).toBe(200);
    expect((await login(code)).status).toBe(401);
  });

  test("is good for a minute", () => {
    const clock = fakeClock();
    const door = new Login({ token, clock });
    const [early, late] = [door.newCode(), door.newCode()];
    clock.pass(limits.loginCodeMs - 1);
    expect(door.open(early)).toBeDefined();
    clock.pass(1);
    expect(door.open(late)).toBeUndefined();
  });

  test("gives way to newer ones when there are too many", () => {
    const door = new Login({ token, clock: fakeClock() });
    const codes = Array.from({ length: limits.loginCodesMax + 1 }, () => door.newCode());
    expect(door.open(codes[0] ?? "")).toBeUndefined();
    expect(door.open(codes[1] ?? "")).toBeDefined();
  });

  test("is not taken from another site, a form, or bytes that are too many", async () => {
    const code = await newCode();
    expect((await login(code, { origin: "https://evil.example" })).status).toBe(403);
    expect((await login(code, { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await login(code, { host: "rebound.example" })).status).toBe(421);
    const form = { body: `code=${code}`, type: "application/x-www-form-urlencoded", headers: none };
    expect((await world.call("POST", "/v1/login", form)).status).toBe(415);
    expect((await login("x".repeat(5_000))).status).toBe(413);
    for (const body of ["", "{", "null", '{"code":1}', '["code"]']) {
      const sent = { body, type: "application/json", headers: none };
      expect([body, (await world.call("POST", "/v1/login", sent)).status]).toEqual([body, 401]);
    }
    expect((await login(code)).status).toBe(200);
  });

  test("stands in no line of the log", async () => {
    const code = await newCode();
    await login(code);
    await login(code);
    expect(JSON.stringify(world.logged)).not.toContain(code);
  });
});

describe("a session", () => {
  const knock = async (headers: Record<string, string>, path = "/v1/version") =>
    (await world.get(path, { headers: { ...none, ...headers } })).status;

  test("opens the API by cookie and page key together, and by neither alone", async () => {
    const { cookie, "skein-page": key } = await session();
    expect(await knock({ cookie, "skein-page": key })).toBe(200);
    // What another program on another port of this host is sent by the browser, and could use as it likes:
    expect(await knock({ cookie })).toBe(401);
    expect(await knock({ "skein-page": key })).toBe(401);
    const second = await session();
    expect(await knock({ cookie, "skein-page": second["skein-page"] })).toBe(401);
  });

  test("cannot be read by scripts, nor sent by other sites", async () => {
    const { setCookie } = await session();
    expect(setCookie).toMatch(/; Path=\/v1; Max-Age=604800; HttpOnly; SameSite=Strict$/);
  });

  test("is not locked out by a cookie that another program has planted", async () => {
    const { cookie, "skein-page": key } = await session();
    const [name] = cookie.split("=");
    const planted = `${name}=planted; ${cookie}; ${name}=x.y.z`;
    expect(await knock({ cookie: planted, "skein-page": key })).toBe(200);
  });

  test("does not survive a change of any of its parts", async () => {
    const { cookie, "skein-page": key } = await session();
    const [name = "", value = ""] = cookie.split("=");
    const [expires = "", nonce = "", mac = ""] = value.split(".");
    const later = (Number.parseInt(expires, 36) + 1).toString(36);
    for (const forged of [
      `${later}.${nonce}.${mac}`,
      `${expires}.${nonce}x.${mac}`,
      `${expires}.${nonce}.${mac.slice(1)}`,
      `${expires}.${nonce}.`,
      `${nonce}.${mac}`,
      ".",
      "",
    ]) {
      const status = await knock({ cookie: `${name}=${forged}`, "skein-page": key });
      expect([forged, status]).toEqual([forged, 401]);
    }
  });

  test("is good on every master of the cluster, until it ends, and on no other cluster", () => {
    const clock = fakeClock();
    const made = new Login({ token, clock });
    const { cookie, key } = made.open(made.newCode()) ?? { cookie: "", key: "" };
    const request = { headers: { cookie: cookie.split(";", 1)[0], "skein-page": key } };
    const elsewhere = new Login({ token, clock });
    expect(elsewhere.isOpen(request)).toBe(true);
    expect(new Login({ token: `${token}x`, clock }).isOpen(request)).toBe(false);
    clock.pass(limits.loginMs - 1);
    expect(elsewhere.isOpen(request)).toBe(true);
    clock.pass(1);
    expect(elsewhere.isOpen(request)).toBe(false);
  });

  test("does nothing from a page of another site or another port", async () => {
    const { setCookie: _, ...headers } = await session();
    for (const origin of ["https://evil.example", "http://127.0.0.1:9", "null"]) {
      const sent = { headers: { ...headers, origin } };
      expect((await world.post("/v1/jobs", {}, sent)).status).toBe(403);
      const { status, headers: answered } = await world.get("/v1/status", sent);
      expect([status, answered["access-control-allow-origin"]]).toEqual([403, undefined]);
    }
  });

  test("opens no socket", async () => {
    const { cookie, "skein-page": key } = await session();
    const headers = { host: "127.0.0.1", upgrade: "websocket", cookie, "skein-page": key };
    const knocked = world.api.checkDoor({ method: "GET", headers } as never);
    expect(knocked?.status).toBe(401);
  });

  test("ends in the browser that logs out", async () => {
    const { status, headers } = await world.call("POST", "/v1/logout", { headers: none });
    expect(status).toBe(204);
    expect(headers["set-cookie"]?.[0]).toMatch(/=; Path=\/v1; Max-Age=0; /);
  });
});

describe("the dashboard of another master", () => {
  const preflight = (origin: string) =>
    world.call("OPTIONS", "/v1/jobs", {
      headers: { ...none, origin, "access-control-request-method": "POST" },
    });

  test("may ask and read, with its session", async () => {
    const { setCookie: _, ...headers } = await session();
    const asked = await preflight(other);
    expect([asked.status, asked.headers["access-control-allow-origin"]]).toEqual([204, other]);
    expect(asked.headers["access-control-allow-headers"]).toContain("skein-page");
    const { status, headers: answered } = await world.get("/v1/status", {
      headers: { ...headers, origin: other },
    });
    expect([status, answered["access-control-allow-origin"]]).toEqual([200, other]);
    expect(answered["access-control-allow-credentials"]).toBe("true");
    expect(answered["vary"]).toContain("origin");
  });

  test("may not without one, and reads why", async () => {
    const { status, headers } = await world.get("/v1/status", {
      headers: { ...none, origin: other },
    });
    expect([status, headers["access-control-allow-origin"]]).toEqual([401, other]);
  });

  test("is told from any other page, by scheme, host and port", async () => {
    for (const origin of ["http://127.0.0.1:3", "https://127.0.0.1:2", "http://127.0.0.1:2.evil"]) {
      const { status, headers } = await preflight(origin);
      expect([origin, status]).toEqual([origin, 403]);
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });
});

describe("files of the dashboard", () => {
  const load = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    world.call(method, path, { headers: { ...none, ...headers } });

  test("come without a token, to a host of this master only", async () => {
    expect((await load("/")).status).toBe(200);
    expect((await load("/", { host: "rebound.example" })).status).toBe(421);
    expect((await load("/", { origin: "https://evil.example" })).status).toBe(403);
    expect((await load("/", {}, "POST")).status).toBe(401);
  });

  test("may run no inline script, stand in no frame, and connect to masters only", async () => {
    const { headers } = await load("/jobs/0123456789abcdef?tab=tasks");
    const policy = headers["content-security-policy"] as string;
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'; ");
    expect(policy).toContain(`connect-src 'self' ${other};`);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["cache-control"]).toBe("no-cache");
  });

  test("are kept for ever when their name has a hash, and asked for again when not", async () => {
    const asset = await load("/assets/main-abc.js");
    expect(asset.headers["cache-control"]).toContain("immutable");
    expect([asset.headers["content-type"], asset.text]).toEqual([
      "text/javascript; charset=utf-8",
      "alert(1)",
    ]);
    const packed = await load("/assets/main-abc.js", { "accept-encoding": "br, gzip" });
    expect([packed.headers["content-encoding"], packed.text]).toEqual(["gzip", "packed"]);
    const { headers } = await load("/");
    expect((await load("/", { "if-none-match": headers["etag"] as string })).status).toBe(304);
    expect((await load("/", {}, "HEAD")).text).toBe("");
  });

  test("are no way to other files, nor past the token by another spelling of a route", async () => {
    for (const path of [
      "/assets/notes.txt",
      "/assets/../index.html",
      "/assets/%2e%2e/index.html",
      "/%76%31/status",
      "//v1/status",
      "/jobs/../v1/status",
      "/v1/status#/login",
      "/V1/status",
    ]) {
      const { status, text } = await load(path);
      expect(text).not.toContain("verdict");
      expect([path, status === 401 || text.startsWith("<!doctype")]).toEqual([path, true]);
    }
  });

  test("that are not built are missed in words", async () => {
    await using bare = await ApiWorld.open({ dashboardDir: join(dir, "nowhere") });
    const { status, text } = await bare.get("/", { headers: none });
    expect(status).toBe(503);
    expect(text).toContain("npm run build");
  });
});

function fakeClock(): Clock & { pass(ms: number): void } {
  let now = 1_000;
  return {
    now: () => now,
    wall: () => 1_700_000_000_000 + now,
    after: () => () => {},
    pass: (ms) => void (now += ms),
  };
}

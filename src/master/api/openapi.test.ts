// The document of this API, and the page made of it.

import { Validator } from "@seriousme/openapi-schema-validator";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { routes } from "../../protocol/routes.ts";
import { ApiWorld } from "./api-world.fixture.ts";
import { openApi } from "./openapi.ts";

describe("the OpenAPI document", () => {
  it("is valid OpenAPI 3.1, and has every route once", async () => {
    const document = openApi("1.2.3");
    // The validator writes into what it is given.
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    const paths = Object.values(document["paths"] as Record<string, Record<string, object>>);
    const ids = paths.flatMap((methods) =>
      Object.values(methods).map((one) => (one as { operationId: string }).operationId),
    );
    expect(ids.toSorted()).toEqual(Object.keys(routes).toSorted());
  });

  it("names every parameter of a path", () => {
    const { paths } = openApi("1") as {
      paths: Record<string, Record<string, { parameters: { name: string; in: string }[] }>>;
    };
    for (const [path, methods] of Object.entries(paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const { parameters } of Object.values(methods)) {
        const given = parameters.filter((one) => one.in === "path").map(({ name }) => name);
        expect([path, given]).toEqual([path, named]);
      }
      expect(path).not.toMatch(/\/:/);
    }
  });
});

describe("the reference", () => {
  let world: ApiWorld;
  beforeEach(async () => {
    world = await ApiWorld.open();
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  it("is a page that has every route, filter field and error, and needs nothing from elsewhere", async () => {
    const { status, headers, text } = await world.get("/v1/reference");
    expect([status, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    for (const name of Object.keys(routes)) expect(text).toContain(`<article id="${name}"`);
    for (const word of ["label.NAME=…", "count_differs", "If-None-Match", "/v1/jobs:cancel"]) {
      expect(text).toContain(word);
    }
    expect(text).not.toMatch(/<script|<link|<img|src=|@import|url\(|https?:/i);
    const ids = [...text.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, target] of text.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target);
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    const again = await world.get("/v1/reference", { headers: { "if-none-match": headers.etag } });
    expect([again.status, again.text]).toEqual([304, ""]);
  });

  it("is behind the same door as everything", async () => {
    const headers = { authorization: "Bearer wrong" };
    expect((await world.get("/v1/reference", { headers })).status).toBe(401);
    const origin = { origin: "http://evil.example" };
    expect((await world.get("/v1/reference", { headers: origin })).status).toBe(403);
  });
});

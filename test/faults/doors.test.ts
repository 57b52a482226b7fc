// Doors and edges of the one port (D1): what comes in that is no request, or nobody's to send. Always an
// answer that says why, never an effect, never a hang (P6).

import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestCluster } from "skein/testing";
import type { TestCluster } from "skein/testing";
import { square } from "./fault-tasks.ts";
import { raw } from "./tools.ts";

let cluster: TestCluster;
let own: string;
beforeAll(async () => {
  cluster = await startTestCluster();
  own = `Host: ${new URL(cluster.url).host}\r\nAuthorization: Bearer ${cluster.token}\r\n`;
});
afterAll(() => cluster[Symbol.asyncDispose]());

const command = { task: "t", code: { kind: "command", argv: ["true"] } };
const submit = JSON.stringify({ spec: command, inputs: [null] });

function request(headers: string, body = "", line = "POST /v1/jobs"): Promise<string> {
  const length = `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  return raw(
    cluster.url,
    `${line} HTTP/1.1\r\n${headers}Connection: close\r\n${length}\r\n${body}`,
  );
}

async function post(body: string): Promise<string> {
  return request(`${own}Content-Type: application/json\r\n`, body);
}

test.each([
  ["no token", "", 401, "unauthorized"],
  ["a wrong token", "Authorization: Bearer nonsense\r\n", 401, "unauthorized"],
])("%s opens no door, known or not", async (_, authorization, status, code) => {
  const host = `Host: ${new URL(cluster.url).host}\r\n`;
  for (const line of ["GET /v1/status", "POST /v1/jobs", "DELETE /v1/nowhere"]) {
    const answer = await request(host + authorization, "", line);
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain(`"code":"${code}"`);
    expect(answer).toContain("SKEIN_TOKEN");
  }
});

test("a token in the address is no token, and does not come back in the answer", async () => {
  const host = `Host: ${new URL(cluster.url).host}\r\n`;
  const answer = await request(host, "", `GET /v1/status?token=${cluster.token}`);
  expect(answer).toContain("HTTP/1.1 401");
  expect(answer).not.toContain(cluster.token);
});

test("a foreign page changes nothing, whatever token it brings", async () => {
  const before = (await cluster.skein.client.jobs()).total;
  const type = "Content-Type: application/json\r\n";
  for (const mark of [
    "Origin: https://evil.example",
    "Origin: null",
    "Sec-Fetch-Site: cross-site",
  ]) {
    expect(await request(`${own}${type}${mark}\r\n`, submit)).toContain("HTTP/1.1 403");
  }
  const rebound = `Host: evil.example\r\nAuthorization: Bearer ${cluster.token}\r\n`;
  expect(await request(rebound, "", "GET /v1/status")).toContain("HTTP/1.1 421");
  for (const other of ["text/plain", "application/x-www-form-urlencoded"]) {
    expect(await request(`${own}Content-Type: ${other}\r\n`, submit)).toContain("HTTP/1.1 415");
  }
  expect((await cluster.skein.client.jobs()).total).toBe(before);
});

test.each([
  ["bytes that are no HTTP", "\u0000\u0001\u0002garbage\r\n\r\n", "400"],
  ["the beginning of TLS", Buffer.from("16030100a5010000a10303", "hex"), "400"],
  ["two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"],
  ["headers of a megabyte", `GET / HTTP/1.1\r\nX: ${"a".repeat(1_000_000)}\r\n\r\n`, "431"],
])("%s: a problem with a reason, and the end of the connection", async (_, bytes, status) => {
  const answer = await raw(cluster.url, bytes);
  expect(answer).toContain(`HTTP/1.1 ${status}`);
  expect(answer).toContain(`"status":${status}`);
});

test("a body may be nested, but not without end", async () => {
  const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  for (const body of [deep(400_000), `{"spec":${deep(200_000)}}`]) {
    expect(await post(body)).toContain("HTTP/1.1 400");
  }
  const inputs = `{"spec":${JSON.stringify(command)},"inputs":[${deep(200_000)}]}`;
  expect(await post(inputs)).toContain("is nested deeper than");
  expect(await post(`{"spec":${JSON.stringify(command)},"inputs":[${deep(50)}]}`)).toContain("201");
});

test("requests that never end are cut, and hold up nobody meanwhile", async () => {
  const began = performance.now();
  const half = `GET /v1/status HTTP/1.1\r\n${own}`;
  const never = Array.from({ length: 50 }, () => raw(cluster.url, half, 30_000));
  const job = await cluster.skein.map(square, [1, 2, 3]);
  expect(await job.results()).toEqual([1, 4, 9]);
  for (const answer of await Promise.all(never)) expect(answer).toContain("HTTP/1.1 408");
  expect(performance.now() - began).toBeLessThan(25_000);
});

test("readers that never read keep nobody from working, nor the master's memory", async () => {
  const job = await cluster.skein.map(
    square,
    Array.from({ length: 200_000 }, (_, i) => i),
  );
  await job.wait();
  const before = process.memoryUsage().rss;
  const readers = Array.from({ length: 20 }, () => {
    const gone = new AbortController();
    const headers = { authorization: `Bearer ${cluster.token}` };
    const url = `${cluster.url}/v1/jobs/${job.id}/outcomes?follow=1`;
    return { gone, answer: fetch(url, { headers, signal: gone.signal }) };
  });
  // Each has its headers, and takes not one byte of the body.
  await Promise.all(readers.map(({ answer }) => answer));
  const more = await cluster.skein.map(square, [4]);
  expect(await more.results()).toEqual([16]);
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  for (const { gone } of readers) gone.abort();
});

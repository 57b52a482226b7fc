import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { dialTwice, exitDial } from "./ports.ts";

let server: Server;

async function listen(): Promise<string> {
  server = createServer((socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(() => void server.close());

const answers = (address: string) => new Promise<boolean>((resolve) => dialTwice(address, resolve));

test("a refusal at an address of another network says nothing of its worker (W5)", async () => {
  const address = await listen();
  server.close();
  const asked = (own: string, network?: string) =>
    new Promise<boolean>((resolve) => {
      exitDial(own)({ address, ...(network === undefined ? {} : { network }) }, resolve);
    });
  // Behind an ssh tunnel, or in a container with a forwarded port, 127.0.0.1 is another place.
  expect(await asked("boot-1 net:[1] host", "boot-2 net:[1] host")).toBe(true);
  expect(await asked("boot-1 net:[1] host", "boot-1 net:[2] host")).toBe(true);
  expect(await asked("boot-1 net:[1] host")).toBe(true);
  expect(await asked("", "")).toBe(true);
  expect(await asked("boot-1 net:[1] host", "boot-1 net:[1] host")).toBe(false);
});

test("a port that goes on answering is a living worker's (W5)", async () => {
  expect(await answers(await listen())).toBe(true);
});

test("a port that nobody listens on is a dead worker's", async () => {
  const address = await listen();
  server.close();
  expect(await answers(address)).toBe(false);
});

test("a process that is dying may answer once more, and is dead all the same", async () => {
  const address = await listen();
  server.once("connection", () => server.close());
  expect(await answers(address)).toBe(false);
});

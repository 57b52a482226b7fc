import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../processes/tools.ts";
import { Links } from "./links.ts";
import type { Gate } from "./links.ts";

// A server that answers each byte with itself, behind a gate; this process is "me".
let links: Links;
let gate: Gate;
/** The server's. */
let sockets: Set<Socket>;
const dialled = new Set<Socket>();
const server = createServer();

beforeEach(async () => {
  sockets = new Set();
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  links = new Links(() => new Map([[process.pid, "me"]]));
  gate = await links.gate("server");
  // It listens on a port.
  const { port } = server.address() as AddressInfo;
  gate.aim(() => port);
});

afterEach(async () => {
  links[Symbol.dispose]();
  for (const socket of [...sockets, ...dialled]) socket.destroy();
  server.close();
});

test("bytes pass a gate in both directions, and so does the end", async () => {
  const { socket, heard } = await dial();
  socket.end("hello");
  await until(() => heard.text === "hello" && heard.ended);
});

test("what is held arrives when it heals, and an end that happened meanwhile too", async () => {
  const { socket, heard } = await dial();
  await until(() => sockets.size === 1);
  links.add({ from: ["me"], to: ["server"], there: "hold", back: "hold" });
  socket.write("late");
  for (const one of sockets) one.end("bye");
  const other = await dial();
  other.socket.write("x");
  expect([heard.text, heard.ended, other.heard.text]).toEqual(["", false, ""]);
  links.heal();
  await until(() => heard.text.includes("bye") && heard.ended && other.heard.text === "x");
});

test("one way held: the server hears, its answers do not come", async () => {
  links.add({ from: ["me"], there: "pass", back: "hold" });
  const { socket, heard } = await dial();
  let asked = "";
  await until(() => sockets.size === 1);
  for (const one of sockets) one.on("data", (bytes) => (asked += String(bytes)));
  socket.write("question");
  await until(() => asked === "question");
  expect(heard.text).toBe("");
  links.heal();
  await until(() => heard.text === "question");
});

test("what is cut is reset, and so are new connections; others pass", async () => {
  links.add({ from: ["somebody"], there: "cut", back: "cut" });
  const { heard } = await dial();
  links.add({ from: ["me"], there: "cut", back: "cut" });
  await until(() => heard.failed);
  await expect(dial().then((late) => once(late.socket, "close"))).rejects.toThrow("ECONNRESET");
});

test("a gate that is shut refuses, and opens on the same port", async () => {
  const { heard } = await dial();
  gate.shut();
  await until(() => heard.failed);
  await expect(dial()).rejects.toThrow("ECONNREFUSED");
  await gate.open();
  const again = await dial();
  again.socket.write("x");
  await until(() => again.heard.text === "x");
});

async function dial() {
  const socket = connect(gate.port, "127.0.0.1");
  const heard = { text: "", ended: false, failed: false };
  socket.on("data", (bytes) => (heard.text += String(bytes)));
  socket.on("end", () => (heard.ended = true));
  socket.on("error", () => (heard.failed = true));
  await once(socket, "connect");
  dialled.add(socket);
  return { socket, heard };
}

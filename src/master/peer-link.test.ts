import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { createServer as createPlainServer } from "node:net";
import type { AddressInfo } from "node:net";
import { encode } from "@msgpack/msgpack";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { peerPath } from "../protocol/routes.ts";
import { createDoor } from "./api/door.ts";
import { peerDial } from "./peer-link.ts";
import type { DialEnd, PeersPorts } from "./peer-ports.ts";
import { servePeers } from "./peer-server.ts";
import { Peers } from "./peers.ts";
import { serveUpgrades } from "./upgrades.ts";

const token = "t".repeat(40);
const last: Master[] = [];
afterEach(async () => {
  for (const master of last.splice(0)) await master.stop();
});

/** A master that is its peers and a port. */
class Master {
  readonly id: string;
  readonly peers: Peers;
  readonly server: Server = createServer();
  readonly addresses: string[] = [];
  readonly gone: number[] = [];
  readonly bells: number[] = [];
  readonly had: string[] = [];
  readonly refusals: string[] = [];
  leads = 0;
  #cut = () => {};

  constructor(id: string, given = token) {
    this.id = id;
    const ports: PeersPorts = {
      clock: systemClock,
      log: silentLog,
      identity: { id, incarnation: `${id}1`, addresses: this.addresses, levels: [1, 1] },
      version: "1.0.0",
      levels: [1, 1],
      journalId: "journal",
      leads: () => this.leads,
      term: () => 1,
      standing: () => ({ applied: 5, watermark: 4, snapshot: 3, doubts: 0 }),
      heard: (workers) => workers,
      dial: peerDial({ token: given, log: silentLog }),
      onLeaderGone: (term) => void this.gone.push(term),
      onBell: (index) => void this.bells.push(index),
      onHello() {},
      onStanding() {},
      onHave: (_standby, hashes) => void this.had.push(...hashes),
      fetch: (_hash, _from, done) => done(true),
      onRefused: (code) => void this.refusals.push(code),
    };
    this.peers = new Peers(ports);
  }

  async listen(): Promise<void> {
    const allowedHosts = ["127.0.0.1"];
    const checkDoor = createDoor({ token, allowedHosts, newId: () => "1" });
    const paths = { [peerPath]: servePeers({ peers: this.peers, log: silentLog }) };
    this.#cut = serveUpgrades({ server: this.server, checkDoor, paths });
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.addresses.push(`http://127.0.0.1:${(this.server.address() as AddressInfo).port}`);
    last.push(this);
  }

  follow({ id, addresses }: Master): void {
    const about = { id, incarnation: `${id}1`, addresses, term: 1 };
    this.peers.followed({ ...about, electedAt: 0, electedWall: 0, process: null });
  }

  /** As kill -9 does: nothing is said, and nobody listens any more. */
  die(): void {
    this.server.close();
    this.#cut();
  }

  async stop(): Promise<void> {
    this.peers.stop("the test is over");
    this.die();
    if (this.server.listening) await once(this.server, "close");
  }
}

async function pair(): Promise<[leader: Master, standby: Master]> {
  const leader = new Master("a");
  const standby = new Master("b");
  await leader.listen();
  await standby.listen();
  leader.leads = 1;
  standby.follow(leader);
  await expect.poll(() => leader.peers.live()).toHaveLength(1);
  return [leader, standby];
}

test("two masters say what they have over a real socket, and a bell comes at once", async () => {
  const [leader, standby] = await pair();
  await expect
    .poll(() => leader.peers.live())
    .toMatchObject([{ id: "b", applied: 5, snapshot: 3 }]);
  leader.peers.appended(77);
  await expect.poll(() => standby.bells).toContain(77);
  const hash = "a".repeat(64);
  leader.peers.fetch("b", [hash], 0);
  await expect.poll(() => leader.had).toEqual([hash]);
});

test("a leader whose process has ended is found gone", async () => {
  const [leader, standby] = await pair();
  leader.die();
  await expect.poll(() => standby.gone, { interval: 2 }).toEqual([1]);
});

test("a master without this cluster's token is turned away, and says why", async () => {
  const [leader] = await pair();
  const stranger = new Master("c", "x".repeat(40));
  stranger.follow(leader);
  await expect.poll(() => stranger.refusals).toEqual(["unauthorized"]);
  stranger.peers.stop("the test is over");
});

test("a port that takes connections and says nothing has not refused", async () => {
  const mute = createPlainServer(() => {}).listen(0, "127.0.0.1");
  await once(mute, "listening");
  const { port } = mute.address() as AddressInfo;
  const ends: DialEnd[] = [];
  const dial = peerDial({ token, log: silentLog });
  const events = { opened() {}, received() {}, ended: (end: DialEnd) => void ends.push(end) };
  dial(`http://127.0.0.1:${port}`, events).close("it took too long");
  mute.close();
  await once(mute, "close");
  dial(`http://127.0.0.1:${port}`, events);
  await expect.poll(() => ends).toMatchObject([{ how: "refused" }]);
  dial("nonsense", events);
  await expect.poll(() => ends).toHaveLength(2);
  expect(ends[1]).toMatchObject({ how: "failed" });
});

test("what no master says is refused in words; what a newer one may say is passed over", async () => {
  const [leader] = await pair();
  const url = `${leader.addresses[0]?.replace("http", "ws")}${peerPath}`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
  await once(socket, "open");
  socket.send(encode([1, 0, [{ kind: "song" }]]));
  socket.send(encode([2, 1, [{ kind: "standing", applied: -1 }]]));
  const [code] = (await once(socket, "close")) as [number];
  expect(code).toBe(1000);
  expect(leader.peers.live()).toHaveLength(1);
});

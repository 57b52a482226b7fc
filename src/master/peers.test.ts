import { beforeEach, expect, test } from "vitest";
import { limits } from "../protocol/limits.ts";
import { Fellow, Net } from "./peers.fixture.ts";

let net: Net;
let leader: Fellow;
let standby: Fellow;

beforeEach(() => {
  net = new Net();
  leader = new Fellow(net, "a");
  standby = new Fellow(net, "b");
});

const liveIds = (master = leader) => master.peers.live().map(({ id }) => id);

test("a standby dials the leader, says hello once, and is live", () => {
  leader.elect(3, standby);
  net.clock.pass(10_000);
  expect(leader.hellos).toEqual(["b"]);
  expect(leader.peers.live()).toMatchObject([
    { id: "b", incarnation: "b1", addresses: ["http://b"], applied: 1, clockMs: -1 },
  ]);
  expect(standby.peers.live()).toEqual([]);
  expect(standby.gone).toEqual([]);
});

test("what a standby has is known soon after it changes", () => {
  leader.elect(1, standby);
  net.clock.pass(100);
  standby.standing = { applied: 7, watermark: 6, snapshot: 5, doubts: 4 };
  net.clock.pass(300);
  expect(leader.peers.live()).toMatchObject([standby.standing]);
  const said = leader.standings.length;
  net.clock.pass(5_000);
  expect(leader.standings.length - said).toBe(10);
});

test("a leader that died is told gone as soon as its port refuses, once a term", () => {
  leader.elect(3, standby);
  net.clock.pass(1_000);
  net.listeners.delete(leader.address);
  net.cutAll();
  net.clock.pass(10);
  expect(standby.gone).toEqual([3]);
  net.clock.pass(10_000);
  expect(standby.gone).toEqual([3]);
});

test("a connection that was cut and comes back is no evidence", () => {
  leader.elect(3, standby);
  net.clock.pass(1_000);
  net.cutAll();
  net.clock.pass(10);
  expect(standby.gone).toEqual([]);
  expect(liveIds()).toEqual(["b"]);
});

test("a refusal from an address that never was connected is no evidence", () => {
  net.listeners.delete(leader.address);
  leader.elect(3, standby);
  net.clock.pass(60_000);
  expect(standby.gone).toEqual([]);
});

test("a leader that comes up late is found", () => {
  net.listeners.delete(leader.address);
  leader.elect(3, standby);
  net.clock.pass(5_000);
  net.listeners.set(leader.address, leader.peers);
  net.clock.pass(600);
  expect(liveIds()).toEqual(["b"]);
});

test("a dial that nobody answers is no evidence, and is tried again", () => {
  leader.elect(3, standby);
  net.clock.pass(1_000);
  net.listeners.set(leader.address, "mute");
  net.cutAll();
  net.clock.pass(20_000);
  expect(standby.gone).toEqual([]);
  expect(net.dials).toBeGreaterThan(4);
  net.listeners.set(leader.address, leader.peers);
  net.clock.pass(4_000);
  expect(liveIds()).toEqual(["b"]);
});

test("another incarnation behind the leader's address proves that the leader is gone", () => {
  leader.elect(3, standby);
  net.clock.pass(1_000);
  leader.peers.stop("killed");
  new Fellow(net, "a", {}, "a2").term = 3;
  net.clock.pass(50);
  expect(standby.gone).toEqual([3]);
});

test("a foreign process at an address that never was the leader's proves nothing", () => {
  const other = new Fellow(net, "c");
  net.listeners.set(leader.address, other.peers);
  leader.elect(3, standby);
  net.clock.pass(5_000);
  expect(standby.gone).toEqual([]);
});

test("a process that says it does not lead its own term is gone as a leader", () => {
  leader.elect(3, standby);
  net.clock.pass(1_000);
  leader.leads = 0;
  net.clock.pass(300);
  expect(standby.gone).toEqual([3]);
});

test("a leader that has not applied its own election yet is no evidence, and says when it leads", () => {
  standby.follow(leader, 3);
  net.clock.pass(1_000);
  expect(standby.gone).toEqual([]);
  expect(leader.hellos).toEqual([]);
  leader.elect(3);
  net.clock.pass(10);
  expect(leader.hellos).toEqual(["b"]);
  expect(liveIds()).toEqual(["b"]);
});

test("the next term of the same process needs no new connection, and may be told gone again", () => {
  leader.elect(3, standby);
  net.clock.pass(1_000);
  leader.elect(5, standby);
  net.clock.pass(1_000);
  expect(net.dials).toBe(1);
  net.listeners.delete(leader.address);
  net.cutAll();
  net.clock.pass(10);
  expect(standby.gone).toEqual([5]);
});

test("a standby follows the next leader and leaves the last one", () => {
  const third = new Fellow(net, "c");
  leader.elect(1, standby, third);
  net.clock.pass(100);
  expect(liveIds()).toEqual(["b", "c"]);
  standby.elect(2, third, leader);
  leader.leads = 0;
  net.clock.pass(100);
  expect(liveIds(standby)).toEqual(["a", "c"]);
  expect(liveIds()).toEqual([]);
});

test("a silent standby is not live, and its connection is closed", () => {
  leader.elect(1, standby);
  net.clock.pass(1_000);
  for (const link of net.links) link.isSilent = true;
  net.clock.pass(limits.suspectAfterMs - 600);
  expect(liveIds()).toEqual(["b"]);
  net.listeners.set(leader.address, "mute");
  net.clock.pass(1_500);
  expect(liveIds()).toEqual([]);
  expect(standby.gone).toEqual([]);
});

test("a stall of this process is no silence of the others", () => {
  leader.elect(1, standby);
  net.clock.pass(1_000);
  net.clock.stall(20_000);
  net.clock.pass(200);
  expect(net.dials).toBe(1);
  expect(liveIds()).toEqual(["b"]);
});

test("batches in quick succession ring few bells, and the last index always comes", () => {
  leader.elect(1, standby);
  net.clock.pass(100);
  standby.bells.length = 0;
  for (let index = 1; index <= 100; index++) leader.peers.appended(index);
  net.clock.pass(2);
  expect(standby.bells).toEqual([1]);
  net.clock.pass(10);
  expect(standby.bells).toEqual([1, 100]);
});

test("a standby copies what it is asked to and says what it has", () => {
  leader.elect(1, standby);
  net.clock.pass(100);
  expect(leader.peers.fetch("b", ["one", "lost"], 0)).toBe(true);
  expect(leader.peers.fetch("nobody", ["one"], 0)).toBe(false);
  net.clock.pass(10);
  expect(standby.fetched).toEqual(["one from http://a", "lost from http://a"]);
  expect(leader.had).toEqual(["b one at 1"]);
  leader.peers.fetch("b", ["two"], 5);
  net.clock.pass(100);
  expect(standby.fetched).toHaveLength(2);
  standby.standing = { ...standby.standing, applied: 6 };
  net.clock.pass(20);
  expect(leader.had).toEqual(["b one at 1", "b two at 6"]);
});

test("standbys say which silent workers they hear; one that is silent itself holds nothing up", () => {
  const third = new Fellow(net, "c");
  leader.elect(1, standby, third);
  net.clock.pass(100);
  standby.hears = [2, 3];
  const heard: unknown[] = [];
  leader.peers.whoHears([1, 2], (found) => heard.push([...found]));
  net.clock.pass(10);
  expect(heard).toEqual([
    [
      ["b", [2]],
      ["c", []],
    ],
  ]);
  for (const link of net.links.slice(1)) link.isSilent = true;
  leader.peers.whoHears([3], (found) => heard.push([...found]));
  net.clock.pass(limits.peerBeatMs);
  expect(heard[1]).toEqual([["b", [3]]]);
  const alone = new Fellow(net, "d");
  alone.peers.whoHears([1], (found) => heard.push([...found]));
  expect(heard[2]).toEqual([]);
});

test("a master of another cluster is refused in words, said once", () => {
  const stranger = new Fellow(net, "c", { journalId: "other" });
  leader.elect(1);
  stranger.follow(leader, 1);
  net.clock.pass(30_000);
  expect(leader.peers.live()).toEqual([]);
  expect(stranger.refusals).toHaveLength(1);
  expect(stranger.refusals[0]).toContain("foreign_journal: Master c works for cluster other");
  expect(stranger.gone).toEqual([]);
});

test("two masters of one id are told so, and the second is not let in", () => {
  const twin = new Fellow(net, "a", {}, "a2");
  twin.leads = twin.term = 1;
  const said: string[] = [];
  const events = { opened() {}, received() {}, ended() {} };
  const connection = net.dial(twin.address, {
    ...events,
    received: (messages) => said.push(...messages.map(({ kind }) => kind)),
  });
  net.clock.pass(5);
  const about = { id: "a", incarnation: "a1", version: "1", journalId: "journal", wall: 0 };
  const hello = { ...about, protocol: [1, 1], levels: [1, 1], addresses: [] } as const;
  connection.send([{ kind: "hello", ...hello }]);
  net.clock.pass(5);
  expect(said).toEqual(["refuse"]);
  expect(liveIds(twin)).toEqual([]);
});

test("clocks that differ by more than a second raise an alarm on both sides", () => {
  const { clock } = net;
  const late: typeof clock = Object.create(clock, { wall: { value: () => clock.now() + 1_500 } });
  late.now = () => clock.now();
  late.after = (ms, fire) => clock.after(ms, fire);
  const third = new Fellow(net, "c", { clock: late });
  leader.elect(1, standby, third);
  net.clock.pass(100);
  expect(leader.warnings).toHaveLength(1);
  expect(leader.warnings[0]).toContain('"master":"c"');
  expect(third.warnings).toHaveLength(1);
  expect(standby.warnings).toEqual([]);
});

test("a newer session of a master takes the place of the older", () => {
  leader.elect(1, standby);
  net.clock.pass(100);
  new Fellow(net, "b", {}, "b2").follow(leader, 1);
  net.clock.pass(20);
  expect(leader.peers.live()).toMatchObject([{ id: "b", incarnation: "b2" }]);
});

test("a leader that stops says goodbye, and is gone when its port refuses", () => {
  leader.elect(1, standby);
  net.clock.pass(100);
  net.listeners.delete(leader.address);
  leader.peers.stop("it was told to stop");
  net.clock.pass(10);
  expect(standby.gone).toEqual([1]);
  expect(standby.peers.leaderHeardMs()).toBe(Infinity);
});

import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFailed, test } from "vitest";
import { connect, defineCommand } from "skein";
import type { Skein } from "skein";
import { ProcessCluster, until } from "./process-cluster.ts";

const quick = defineCommand({ name: "quick", argv: ["true"] });

interface Follower {
  /** Position of the first message: what comes after it is followed. */
  readonly start: () => string;
  /** Ids of rows, in the order they came. */
  readonly rows: string[];
  /** Masters that it was told of. */
  readonly masters: Set<string>;
  readonly resets: string[];
  leave(): void;
}

function follow(skein: Skein): Follower {
  const rows: string[] = [];
  const masters = new Set<string>();
  const resets: string[] = [];
  const leaving = new AbortController();
  let start = "";
  const run = async () => {
    for await (const event of skein.client.events({ signal: leaving.signal })) {
      start ||= event.id ?? "";
      if (event.event === "timeline") rows.push(event.data.id);
      else if (event.event === "tick") masters.add(event.data.master);
      else if (event.event === "reset") resets.push(event.data.why);
    }
  };
  run().catch(() => {}); // it is left at the end
  return { start: () => start, rows, masters, resets, leave: () => leaving.abort() };
}

/** All rows that a master has, oldest first. */
async function rowsOf(url: string, token: string): Promise<string[]> {
  await using skein = await connect({ url, token });
  const rows: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await skein.client.eventList({ limit: 500, ...(cursor && { cursor }) });
    rows.push(...page.items.map(({ id, at, text }) => `${id} ${at} ${text}`));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return rows.toReversed();
}

const indexOf = (id = "") => Number(id.split(".", 1)[0]);

test("leaders are killed and step down while streams follow the timeline: no row is lost, doubled or out of order", async () => {
  await using cluster = await ProcessCluster.start({ workers: 1, cpus: 2, masters: 3 });
  onTestFailed(() => console.log(cluster.stderr));
  // Each begins at another master, and knows all of them.
  const turned = cluster.urls.map((_, at) => [
    ...cluster.urls.slice(at),
    ...cluster.urls.slice(0, at),
  ]);
  const clients = await Promise.all(
    turned.map((urls) => connect({ url: urls.join(","), token: cluster.token })),
  );
  await using skein = await cluster.connect();
  const followers = clients.map(follow);
  await until(async () => followers.every(({ masters }) => masters.size > 0));
  let submitting = true;
  const submitted = (async () => {
    for (; submitting; await sleep(150)) await (await skein.submit(quick, null)).result();
  })();
  for (const fault of ["kill", "step down", "kill", "kill"]) {
    await sleep(1_500);
    const leader = await cluster.leader();
    if (fault === "kill") await leader.kill();
    else await skein.client.stepDown({});
    await cluster.leader();
    for (const master of cluster.masters) if (!master.lives) await master.restart();
  }
  submitting = false;
  await submitted;
  await cluster.leader();
  const lists = async () =>
    await Promise.all(cluster.urls.map((url) => rowsOf(url, cluster.token)));
  // Standbys come up to the leader, and streams to their masters.
  await until(async () => {
    const [one = [], ...others] = await lists();
    const last = one.at(-1)?.split(" ", 1)[0];
    return (
      others.every((other) => other.length === one.length) &&
      followers.every(({ rows }) => rows.at(-1) === last)
    );
  });
  const [one = [], ...others] = await lists();
  for (const other of others) expect(other).toEqual(one);
  const ids = one.map((row) => row.split(" ", 1)[0]);
  for (const { start, rows, resets } of followers) {
    expect(resets).toEqual([]);
    // From where it began all that there is, once, in order. It stood behind a whole batch.
    expect(rows.length).toBeGreaterThan(20);
    expect(start()).toMatch(/^\d+\.0$/);
    expect(rows).toEqual(ids.filter((id) => indexOf(id) >= indexOf(start())));
  }
  for (const follower of followers) follower.leave();
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  console.log(
    `${ids.length} rows on three masters, ${followers.length} streams: none lost or twice`,
  );
}, 120_000);

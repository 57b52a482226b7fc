import { expect, test } from "vitest";
import type { Archive, RecordedBlock } from "../archive/archive.ts";
import { Hub } from "../hub.ts";
import { OutcomeFeed } from "./outcome-feed.ts";

test("a block and the end that are recorded while the archive is read come in this order", async () => {
  const hub = new Hub();
  let answer: (blocks: RecordedBlock[]) => void = () => {};
  let asked = () => {};
  const reading = new Promise<void>((resolve) => {
    asked = resolve;
  });
  // An archive that is slow: it looked before the batch, and answers after it.
  const archive = {
    job: async () => [],
    blocks: () =>
      new Promise<RecordedBlock[]>((resolve) => {
        answer = resolve;
        asked();
      }),
  } as unknown as Archive; // only these two are asked
  const after = { index: 0, n: 0 };
  const master = { archive, hub };
  const feed = new OutcomeFeed({ master, job: 1, after, follow: true, onWait: () => {} });
  const first = feed.next();
  await reading;
  const block = Uint8Array.of(1, 2, 3);
  hub.block(1, { index: 7, n: 0 }, block);
  hub.end(1, { index: 7, n: 1 }, "succeeded");
  answer([]);
  expect(await first).toEqual({ kind: "blocks", blocks: [{ index: 7, n: 0, block }] });
  expect(await feed.next()).toMatchObject({ kind: "end", state: "succeeded" });
  feed.stop();
});

test("what was recorded without a ring is found once the feed is told that it missed something", async () => {
  const hub = new Hub();
  const block = Uint8Array.of(1, 2, 3);
  let recorded: RecordedBlock[] = [];
  let ended: object[] = [];
  const archive = {
    job: async () => ended,
    blocks: async (_job: number, after: { index: number }) =>
      recorded.filter(({ index }) => index > after.index),
  } as unknown as Archive; // only these two are asked
  let waits = () => {};
  const waiting = new Promise<void>((resolve) => {
    waits = resolve;
  });
  const after = { index: 0, n: 0 };
  const feed = new OutcomeFeed({
    master: { archive, hub },
    job: 1,
    after,
    follow: true,
    onWait: () => waits(),
  });
  const first = feed.next();
  await waiting;
  // As when the master's state was built anew from the journal: nobody rang.
  recorded = [{ index: 7, n: 0, block }];
  ended = [{ state: "succeeded", endedIndex: 7 }];
  hub.missed();
  expect(await first).toEqual({ kind: "blocks", blocks: recorded });
  expect(await feed.next()).toMatchObject({ kind: "end", state: "succeeded" });
  feed.stop();
});

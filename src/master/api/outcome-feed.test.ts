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

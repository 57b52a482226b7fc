// What a trim says when etcd does not free what was deleted: against a stand-in, since a real one always may.

import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../lib/clock.ts";
import { EtcdJournal } from "../etcd.ts";
import { emptyHead } from "../journal.ts";
import { clientOf, denied, etcdLike, header, healthy } from "./etcd-like.fixture.ts";
import { encodeHead, encodeId, JournalKeys } from "./keys.ts";
import { methods } from "./messages.ts";
import { bytesField, messageField, numberField } from "./protobuf.ts";

const keys = new JournalKeys("/skein/");

/** As a transaction of etcd answers: done, and a range of one key for each of these. */
function answerOf(...found: readonly (readonly [key: string, value: Uint8Array | string])[]) {
  const ranges = found.map(([key, value]) => {
    const pair = messageField(2, bytesField(1, key), bytesField(5, value));
    return messageField(3, messageField(1, header(1), pair));
  });
  return Buffer.concat([header(1), numberField(2, 1), ...ranges]);
}

it("says why a trim freed nothing, until one has", async () => {
  const head = encodeHead({ ...emptyHead, index: 3, term: 1 });
  const journalOf3 = answerOf(
    [keys.journal, encodeId("journal")],
    [keys.head, head],
    [keys.batch(1), ""],
  );
  const { port, calls } = await etcdLike((method, call) => {
    if (method === methods.status) return healthy;
    if (method !== methods.compact) return journalOf3;
    return call === 1 ? denied : header(1);
  });
  const settings = { clusterId: "7", members: 3, versions: [], quotaBytes: 1, requestBytes: 1 };
  const journal = new EtcdJournal({
    client: clientOf(port),
    clock: systemClock,
    settings: { ...settings, notes: ["A member is old."] },
    journalId: "journal",
    bytesMax: 1,
  });
  onTestFinished(() => journal[Symbol.asyncDispose]());
  expect(journal.notes).toEqual(["A member is old."]);
  await journal.trim(3);
  expect(journal.notes).toEqual([
    "A member is old.",
    "etcd did not free what the last trim deleted: " +
      "etcd refused: etcdserver: permission denied (code 7). The next trim tries again.",
  ]);
  await journal.trim(3);
  expect(journal.notes).toEqual(["A member is old."]);
  expect(calls.filter((one) => one === methods.compact)).toHaveLength(2);
});

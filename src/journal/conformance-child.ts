// A process of the conformance suite: appends as fast as it can and says so, until it has done its
// count or is killed. A line is written only after the append was acknowledged.

import { writeSync } from "node:fs";
import { encodeBatch, newBatchId } from "./batch.ts";
import { headOf } from "./chain.ts";
import { openJournal, type OpenJournalOptions } from "./engines.ts";

export interface ChildPlan {
  readonly url: string;
  readonly options: OpenJournalOptions;
  readonly appends: number;
}

// Written by `conformance.ts` of the same version.
const plan = JSON.parse(process.argv[2] ?? "") as ChildPlan;
await using journal = await openJournal(plan.url, plan.options);
let head = await journal.head();
writeSync(1, "ready\n");
for (let count = 0; count < plan.appends; count++) {
  const batch = encodeBatch({
    journalId: journal.journalId,
    index: head.index + 1,
    term: head.term,
    batchId: newBatchId(),
    previousHash: head.hash,
    format: 1,
    time: count,
    wall: Date.now(),
    bytes: Buffer.alloc((count % 7) ** 6, count),
  });
  const result = await journal.append(head.index, batch);
  if (result.kind !== "appended") throw new Error(`append ended ${JSON.stringify(result)}`);
  head = headOf(batch);
  writeSync(1, `${head.index} ${head.batchId}\n`);
}

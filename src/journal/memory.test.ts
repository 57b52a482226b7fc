import { describe, expect, it, onTestFinished } from "vitest";
import { encodeBatch, newBatchId } from "./batch.ts";
import { journalCases, type JournalBench } from "./conformance.ts";
import { openJournal } from "./engines.ts";
import { emptyHead, type Journal } from "./journal.ts";
import { MemoryStore, openMemoryJournal, type MemoryJournalOptions } from "./memory.ts";

function memoryBench(latencyMs: number): JournalBench {
  const store = new MemoryStore();
  return {
    open: (options = {}) => openMemoryJournal({ ...options, store, latencyMs }),
    async flip(index) {
      const at = index - store.trimmed - 1;
      const batch = store.batches[at];
      if (!batch) throw new Error(`no batch at index ${index}`);
      const bytes = Buffer.from(batch.bytes);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      store.batches[at] = { ...batch, bytes };
    },
    async remove(index) {
      Reflect.deleteProperty(store.batches, index - store.trimmed - 1);
    },
  };
}

describe("the memory engine", () => {
  for (const { name, durableOnly, run } of journalCases) {
    if (durableOnly) it.skip(`${name} (memory does not outlive its process)`);
    else it(name, () => run(memoryBench(0)));
  }
  it("keeps the contract with latency", async () => {
    const cases = journalCases.filter(({ name }) => /appenders|identical|beside/.test(name));
    expect(cases).toHaveLength(3);
    for (const { run } of cases) await run(memoryBench(1));
  });
});

const memory = async (options?: MemoryJournalOptions) =>
  closedAfterwards(await openMemoryJournal(options));
const opened = async (url: string) => closedAfterwards(await openJournal(url));

function closedAfterwards<T extends Journal>(journal: T): T {
  onTestFinished(() => journal[Symbol.asyncDispose]());
  return journal;
}

function firstBatch(journalId: string) {
  return encodeBatch({
    journalId,
    index: 1,
    term: 1,
    batchId: newBatchId(),
    previousHash: emptyHead.hash,
    format: 1,
    time: 0,
    wall: 0,
    bytes: Buffer.from("entries"),
  });
}

describe("the faults of the memory engine", () => {
  it("a lost append is unknown and not stored, a lost answer is unknown and stored", async () => {
    const journal = await memory();
    const batch = firstBatch(journal.journalId);
    journal.faults.push({ kind: "lose" }, { kind: "lose_answer" });
    expect((await journal.append(0, batch)).kind).toBe("unknown");
    expect(await journal.read(1)).toBeUndefined();
    expect((await journal.append(0, batch)).kind).toBe("unknown");
    expect((await journal.read(1))?.batchId).toBe(batch.batchId);
  });

  it("a refusal stores nothing", async () => {
    const journal = await memory();
    journal.faults.push({ kind: "refuse", code: "forbidden" });
    const result = await journal.append(0, firstBatch(journal.journalId));
    expect(result).toMatchObject({ kind: "refused", code: "forbidden" });
    expect(await journal.head()).toEqual(emptyHead);
  });

  it("a failed disk halts this journal, and the store can be opened again", async () => {
    const store = new MemoryStore();
    const journal = await memory({ store });
    journal.faults.push({ kind: "fail" });
    await expect(journal.append(0, firstBatch(store.journalId))).rejects.toThrow(/durable/);
    await expect(journal.head()).rejects.toMatchObject({ kind: "fsync_failed" });
    const again = await memory({ store });
    expect((await again.append(0, firstBatch(store.journalId))).kind).toBe("appended");
  });

  it("a full quota refuses with no_space", async () => {
    const journal = await memory({ bytesMax: 10 });
    const result = await journal.append(0, firstBatch(journal.journalId));
    expect(result).toMatchObject({ kind: "refused", code: "no_space" });
  });
});

describe("openJournal", () => {
  it("gives every memory: its own journal and memory:name a shared one", async () => {
    const shared = await opened("memory:shared");
    const again = await opened("memory:shared");
    const own = await opened("memory:");
    expect(again.journalId).toBe(shared.journalId);
    expect(own.journalId).not.toBe(shared.journalId);
  });

  it("names the engines it knows when asked for another", async () => {
    await expect(openJournal("redis://host")).rejects.toThrow(/the engines are memory, sqlite/);
    await expect(openJournal("sqlite:")).rejects.toThrow(/names no path/);
    await expect(openJournal("journal.db")).rejects.toThrow(/sqlite:\/var\/lib/);
  });
});

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { runnableFile } from "../lib/thread.ts";
import { fill, nextBatch } from "./batches.fixture.ts";
import { everyCommitIsSynced } from "./conformance-durable.ts";
import { journalCases, type JournalBench } from "./conformance.ts";
import { openSqliteJournal, type SqliteJournalOptions } from "./sqlite.ts";
import { syncCounter } from "./sync-count.ts";

const root = mkdtempSync(join(tmpdir(), "skein-sqlite-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function freshFolder(): string {
  const folder = join(root, String(++folders));
  mkdirSync(folder);
  return folder;
}

/** Closed when the test is over. */
async function open(options: SqliteJournalOptions) {
  const journal = await openSqliteJournal(options);
  onTestFinished(() => journal[Symbol.asyncDispose]());
  return journal;
}

type Testing = NonNullable<SqliteJournalOptions["testing"]>;

function sqliteBench(testing: Testing = {}): JournalBench {
  const scratch = freshFolder();
  const path = join(scratch, "data", "journal.db");
  const options = { testing };
  return {
    open: (more = {}) => openSqliteJournal({ path, ...options, ...more }),
    async flip(index) {
      behindItsBack(path, (db) => {
        const row = db.prepare("SELECT bytes FROM batch WHERE idx = ?").get(index);
        const bytes = Buffer.from(row.bytes);
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
        db.prepare("UPDATE batch SET bytes = ? WHERE idx = ?").run(bytes, index);
      });
    },
    async remove(index) {
      behindItsBack(path, (db) => db.prepare("DELETE FROM batch WHERE idx = ?").run(index));
    },
    durable: {
      url: `sqlite:${path}`,
      options,
      scratch,
      async claimsToSync() {
        const journal = await open({ path, ...options });
        return journal.settings.synchronous === 2;
      },
    },
  };
}

function behindItsBack(
  path: string,
  work: (db: InstanceType<typeof DatabaseSync>) => unknown,
): void {
  const db = new DatabaseSync(path);
  try {
    work(db);
  } finally {
    db.close();
  }
}

describe("the SQLite engine", () => {
  for (const { name, run } of journalCases) {
    it(name, async ({ annotate }) => {
      const note = await run(sqliteBench());
      if (note) await annotate(note);
    });
  }
});

describe("the case that counts fsyncs", () => {
  const ways = ["strace", "preload"] as const;
  for (const way of ways) {
    const works = syncCounter(freshFolder(), [way]) !== undefined;
    it.skipIf(!works)(`tells FULL from OFF by ${way} (skipped where it cannot run)`, async () => {
      await everyCommitIsSynced(sqliteBench(), [way]);
      const off = everyCommitIsSynced(sqliteBench({ synchronous: "OFF" }), [way]);
      await expect(off).rejects.toThrow(/issued only \d+ fsyncs/);
      const normal = everyCommitIsSynced(sqliteBench({ synchronous: "NORMAL" }), [way]);
      await expect(normal).rejects.toThrow(/issued only \d+ fsyncs/);
    });
  }

  it("tells FULL from OFF by the settings where nothing can be counted", async () => {
    expect(await everyCommitIsSynced(sqliteBench(), [])).toMatch(/not counted/);
    const off = everyCommitIsSynced(sqliteBench({ synchronous: "OFF" }), []);
    await expect(off).rejects.toThrow(/does not fsync/);
  });
});

describe("a SQLite journal without space", () => {
  async function refusesAndRecovers(path: string, bytesMax?: number) {
    const options = bytesMax === undefined ? { path } : { path, bytesMax };
    const journal = await open(options);
    const { head, result } = await fill(journal, { size: 50_000 });
    expect(result).toMatchObject({ kind: "refused", code: "no_space" });
    expect(await journal.head()).toEqual(head);
    expect(await journal.read(head.index + 1)).toBeUndefined();
    await journal.verify();
    return { journal, head };
  }

  it("refuses at its quota, stores nothing, and goes on once a trim has freed space", async () => {
    const path = join(freshFolder(), "journal.db");
    const bytesMax = 2_000_000;
    const { head } = await refusesAndRecovers(path, bytesMax);
    const journal = await open({ path, bytesMax });
    expect((await journal.usage()).bytesMax).toBe(bytesMax);
    await journal.trim(head.index);
    const more = await fill(journal, { size: 50_000, count: 10 });
    expect(more.result.kind).toBe("appended");
    expect(more.head.index).toBe(head.index + 10);
    await journal.verify();
  });

  const disk = smallDisk(8);
  it.skipIf(!disk)("refuses on a full disk (skipped where tmpfs cannot be mounted)", async () => {
    if (!disk) return;
    try {
      const filler = join(disk.folder, "filler");
      writeFileSync(filler, Buffer.alloc(4_000_000));
      const path = join(disk.folder, "journal.db");
      const journal = await open({ path });
      const { head, result } = await fill(journal, { size: 50_000 });
      expect(result).toMatchObject({ kind: "refused", code: "no_space" });
      expect(await journal.head()).toEqual(head);
      expect(await journal.read(head.index + 1)).toBeUndefined();
      rmSync(filler);
      const more = await fill(journal, { size: 50_000, count: 5 });
      expect(more.result.kind).toBe("appended");
      await journal.verify();
    } finally {
      disk.unmount();
    }
  });
});

function smallDisk(megabytes: number): { folder: string; unmount: () => void } | undefined {
  const folder = freshFolder();
  const options = ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder];
  if (process.platform !== "linux" || spawnSync("mount", options).status !== 0) return undefined;
  return { folder, unmount: () => void spawnSync("umount", ["-l", folder]) };
}

describe("a SQLite journal on a dying disk", () => {
  const counter = syncCounter(freshFolder(), ["preload"]);
  it.skipIf(!counter)(
    "halts at the first failed fsync, and opened again has all that it acknowledged (J5; skipped without a compiler)",
    async () => {
      if (!counter) return;
      const path = join(freshFolder(), "journal.db");
      const file = runnableFile(new URL("./conformance-child.ts", import.meta.url));
      const plan = JSON.stringify({ url: `sqlite:${path}`, options: {}, appends: 1000 });
      const { command, args, env } = counter.wrap(process.execPath, [file, plan], 40);
      const child = spawnSync(command, args, { env });
      expect(child.status).toBe(1);
      expect(child.stderr.toString()).toMatch(/fsync_failed/);
      const lines = child.stdout.toString().trim().split("\n").slice(1);
      expect(lines.length).toBeGreaterThan(10);
      const journal = await open({ path });
      await journal.verify();
      for (const line of lines) {
        const [index, batchId] = line.split(" ");
        expect((await journal.read(Number(index)))?.batchId).toBe(batchId);
      }
    },
  );
});

describe("a SQLite journal whose file is moved away under it", () => {
  it("stops when it notices, instead of writing where nobody will look", async () => {
    const folder = freshFolder();
    const path = join(folder, "journal.db");
    const journal = await open({ path });
    const { head } = await fill(journal, { count: 3 });
    renameSync(path, join(folder, "elsewhere.db"));
    await expect(journal.usage()).rejects.toThrow(/deleted or moved away/);
    await expect(journal.append(3, nextBatch(journal, head))).rejects.toThrow(/no longer the file/);
  });
});

describe("the write-ahead log", () => {
  it("stays bounded however much is appended", async () => {
    const path = join(freshFolder(), "journal.db");
    const journal = await open({ path });
    await fill(journal, { size: 500_000, count: 160 });
    const bytes = 160 * 500_000;
    expect(statSync(`${path}-wal`).size).toBeLessThan(0.9 * bytes);
    await journal.verify();
  });
});

describe("a SQLite journal under garbage collection", () => {
  it("keeps its database alive for its statements", () => {
    const path = join(freshFolder(), "journal.db");
    const file = runnableFile(new URL("./conformance-child.ts", import.meta.url));
    const plan = JSON.stringify({ url: `sqlite:${path}`, options: {}, appends: 60 });
    const child = spawnSync(process.execPath, ["--gc-interval=300", file, plan]);
    expect(child.signal).toBeNull();
    expect(child.status).toBe(0);
    expect(child.stdout.toString().trim().split("\n")).toHaveLength(61);
  });
});

describe("the preflight of a SQLite journal", () => {
  const at = (path: string, more: Omit<SqliteJournalOptions, "path"> = {}) =>
    open({ path, ...more });

  it("really runs in WAL with synchronous=FULL", async () => {
    const journal = await at(join(freshFolder(), "journal.db"));
    expect(journal.settings).toMatchObject({ journalMode: "wal", synchronous: 2 });
  });

  it("refuses a file that is not a database, and leaves it as it is", async () => {
    const path = join(freshFolder(), "journal.db");
    writeFileSync(path, "to whom it may concern ".repeat(100));
    await expect(at(path)).rejects.toMatchObject({
      kind: "preflight",
      message: expect.stringMatching(/is not a SQLite database\. Choose another path/),
    });
    expect(statSync(path).size).toBe(2300);
  });

  it("refuses a database of somebody else, and leaves it as it is", async () => {
    const path = join(freshFolder(), "journal.db");
    behindItsBack(path, (db) => db.exec("CREATE TABLE songs (title)"));
    await expect(at(path)).rejects.toThrow(/not a Skein journal/);
    behindItsBack(path, (db) => {
      expect(db.prepare("PRAGMA journal_mode").get()).toMatchObject({ journal_mode: "delete" });
    });
  });

  it("refuses a directory where a file should be", async () => {
    await expect(at(freshFolder())).rejects.toThrow(/not a regular file/);
  });

  it("refuses a directory that cannot be created", async () => {
    await expect(at("/proc/skein/journal.db")).rejects.toThrow(/cannot be created/);
  });

  it.skipIf(process.getuid?.() === 0)(
    "refuses a directory that is not writable (skipped for root, who may write anywhere)",
    async () => {
      const folder = freshFolder();
      chmodSync(folder, 0o500);
      await expect(at(join(folder, "journal.db"))).rejects.toThrow(/is not writable/);
    },
  );

  it("refuses a network file system by its name", async () => {
    const path = join(freshFolder(), "journal.db");
    const nfs = at(path, { testing: { fileSystemType: 0x6969 } });
    await expect(nfs).rejects.toThrow(/shared file system \(NFS\)/);
  });

  it("says so when another process keeps the file locked", async () => {
    const path = join(freshFolder(), "journal.db");
    await (await at(path))[Symbol.asyncDispose]();
    const holder = new DatabaseSync(path);
    try {
      holder.exec("BEGIN IMMEDIATE");
      await expect(at(path)).rejects.toThrow(/another process keeps it locked/);
    } finally {
      holder.close();
    }
  });

  it("waits at most a second for a lock and then answers unknown, with nothing stored", async () => {
    const path = join(freshFolder(), "journal.db");
    const journal = await at(path);
    const { head } = await fill(journal, { count: 1 });
    const holder = new DatabaseSync(path);
    try {
      holder.exec("BEGIN IMMEDIATE");
      const batch = nextBatch(journal, head);
      expect((await journal.append(1, batch)).kind).toBe("unknown");
      expect(await journal.read(2)).toBeUndefined();
      holder.exec("ROLLBACK");
      expect((await journal.append(1, batch)).kind).toBe("appended");
    } finally {
      holder.close();
    }
  });

  it("refuses a layout of a later version", async () => {
    const path = join(freshFolder(), "journal.db");
    await (await at(path))[Symbol.asyncDispose]();
    behindItsBack(path, (db) => db.exec("PRAGMA user_version = 99"));
    await expect(at(path)).rejects.toThrow(/newer than 1/);
  });
});

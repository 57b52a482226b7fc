import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/log.ts";
import { LogRecordReader } from "../../protocol/log-record.ts";
import { AttemptLogs } from "./attempt-logs.ts";
import { readLog, type LogPart, type LogQuery } from "./log-reader.ts";
import { removeOldLogs } from "./log-retention.ts";

const job = "0123456789abcdef";
let dataDir: string;
let logs: AttemptLogs;
let held: boolean;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "skein-logs-"));
  logs = new AttemptLogs({ dataDir, log: silentLog, bytesMax: 100 });
  held = true;
});
afterEach(async () => {
  await logs.flushed();
  rmSync(dataDir, { recursive: true, force: true });
});

function print(text: string, stream: "stdout" | "stderr" = "stdout"): number {
  return logs.append(job, 3, 1, { stream, bytes: Buffer.from(text) });
}

function end(): void {
  held = false;
  logs.ended(job, 3, 1);
}

function reading(query: Partial<LogQuery> = {}) {
  const parts: LogPart[] = [];
  const records = new LogRecordReader();
  let text = "";
  const all: LogQuery = {
    job,
    task: 3,
    attempt: 1,
    stream: "both",
    from: 0,
    follow: false,
    ...query,
  };
  const onPart = (part: LogPart) => {
    parts.push(part);
    for (const { stream, bytes } of records.push(part.bytes)) {
      text += `${stream === "stderr" ? "!" : ""}${Buffer.from(bytes).toString()}`;
    }
  };
  const stop = readLog(all, onPart, { logs, isHeld: () => held });
  return {
    stop,
    parts,
    text: () => text,
    ended: () => until(() => parts.at(-1)?.end === true),
    until: (wanted: string) => until(() => text === wanted),
  };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe("a log", () => {
  test("is read as it was printed, both streams in order", async () => {
    print("a\n");
    print("b\n", "stderr");
    print("c\n");
    end();
    const read = reading();
    await read.ended();
    expect(read.text()).toBe("a\n!b\nc\n");
  });

  test("is read of one stream, and on from where a reader stopped", async () => {
    print("a\n");
    print("b\n", "stderr");
    await logs.flushed();
    const first = reading({ stream: "stdout" });
    await first.ended();
    expect(first.text()).toBe("a\n");
    print("c\n", "stderr");
    print("d\n");
    end();
    const rest = reading({ stream: "stdout", from: first.parts.at(-1)?.next ?? -1 });
    await rest.ended();
    expect(rest.text()).toBe("d\n");
  });

  test("is followed from before its first line until its attempt has ended", async () => {
    const read = reading({ follow: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
    print("one ");
    await read.until("one ");
    print("two");
    await read.until("one two");
    expect(read.parts.some((part) => part.end)).toBe(false);
    end();
    await read.ended();
  });

  test("is whole for who follows an attempt that ends before its output is on the disk", async () => {
    const early = reading({ follow: true });
    print("a\n");
    end();
    const late = reading({ follow: true });
    await Promise.all([early.ended(), late.ended()]);
    expect([early.text(), late.text()]).toEqual(["a\n", "a\n"]);
    expect([...early.parts, ...late.parts].map(({ problem }) => problem)).not.toContain(
      expect.any(String),
    );
  });

  test("followed of an attempt that printed nothing ends with it", async () => {
    const read = reading({ follow: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
    end();
    await read.ended();
    expect(read.parts.at(-1)?.problem).toMatch(/printed nothing/);
  });

  test("that nobody has is said to be missing", async () => {
    held = false;
    const read = reading({ job: "../../../../etc" });
    await read.ended();
    expect(read.parts.at(-1)?.problem).toMatch(/no output is kept here/);
  });

  test("is no longer sent to a reader who stopped", async () => {
    const read = reading({ follow: true });
    print("one");
    await read.until("one");
    read.stop();
    print("two");
    end();
    await logs.flushed();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(read.text()).toBe("one");
  });

  test("is cut at its limit, and one line says so", async () => {
    expect(print("x".repeat(90))).toBe(90);
    expect(print("y".repeat(20))).toBe(10);
    expect(print("z")).toBe(0);
    end();
    const read = reading();
    await read.ended();
    expect(read.text()).toMatch(/^x{90}y{10}!\n\[skein\] the output was cut here.*100 bytes\n$/);
  });

  test("makes no file for an attempt that prints nothing", () => {
    end();
    expect(readdirSync(dataDir)).toEqual([]);
  });

  test("is kept when many attempts print at once", async () => {
    for (let task = 0; task < 200; task++) {
      for (const text of ["a", "b", "c"]) {
        logs.append(job, task, 1, { stream: "stdout", bytes: Buffer.from(text) });
      }
      logs.ended(job, task, 1);
    }
    held = false;
    await logs.flushed();
    expect(logs.openJobs().size).toBe(0);
    const read = reading({ task: 137 });
    await read.ended();
    expect(read.text()).toBe("abc");
  });
});

describe("old logs", () => {
  const hour = 3_600_000;
  const now = Date.parse("2030-01-01T00:00:00Z");

  function logOf(name: string, bytes: number, hoursAgo: number): void {
    const folder = join(dataDir, "logs", name);
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "0.1.log");
    writeFileSync(file, "x".repeat(bytes));
    utimesSync(file, (now - hoursAgo * hour) / 1_000, (now - hoursAgo * hour) / 1_000);
  }

  const remove = (spare: string[] = []) =>
    removeOldLogs({
      folder: join(dataDir, "logs"),
      now,
      spare: new Set(spare),
      retention: { keepMs: 48 * hour, keepBytes: 1_000 },
    });

  test("go after their time, and the oldest first while there are too many", async () => {
    logOf("ancient", 10, 49);
    logOf("old", 600, 3);
    logOf("middle", 500, 2);
    logOf("new", 400, 1);
    expect(await remove()).toEqual(["ancient", "old"]);
    expect(readdirSync(join(dataDir, "logs")).toSorted()).toEqual(["middle", "new"]);
  });

  test("stay while they are being written", async () => {
    logOf("ancient", 10, 49);
    expect(await remove(["ancient"])).toEqual([]);
  });

  test("need no folder to be there", async () => {
    expect(await remove()).toEqual([]);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FrameReader } from "./frames.ts";
import { readRows, RowBuffer } from "./rows.ts";
import { FunctionPerformer } from "./slot-function.ts";
import { Outbox } from "./slot-outbox.ts";
import { Runner } from "./slot-runner.ts";
import type { FromSlot, SlotJob } from "./wire.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "skein-runner-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** What the module and the test share. */
interface Stage {
  readonly ran: unknown[];
  setUp: () => void;
  readonly settingUp: Promise<void>;
}

test.each(["setup", "schema"])(
  "an attempt that is cancelled while its %s is awaited never starts; the next one does",
  async (awaited) => {
    const stage = stageOf();
    const { runner, rows } = slot(awaited);
    runner.give({
      ...{ kind: "give", first: 1, tasks: [0, 1], attempts: [1, 1], fences: [7, 7] },
      inputs: Buffer.from('"first"\n"second"\n'),
    });
    await stage.settingUp;
    runner.abort({ kind: "abort", seq: 1, code: 32, reason: "it was cancelled", graceMs: 5_000 });
    stage.setUp();
    const [first, second] = await rows(2);
    expect(stage.ran).toEqual(["second"]);
    expect(first).toMatchObject({ seq: 1, code: 32, micros: 0 });
    expect(first?.value).toContain("it was cancelled; it had not started");
    expect(second).toMatchObject({ seq: 2, code: 0 });
  },
);

function stageOf(): Stage {
  const ran: unknown[] = [];
  let began: () => void = () => {};
  const settingUp = new Promise<void>((resolve) => (began = resolve));
  const stage = { ran, settingUp, setUp: () => {}, began: () => began() };
  (globalThis as Record<string, unknown>)["stage"] = stage;
  return stage;
}

/** A slot's main thread, without its process; `rows` resolves when so many have been said. */
function slot(awaited: string) {
  const file = join(folder, "module.mjs");
  const wait = `new Promise((resolve) => { stage.setUp = resolve; stage.began(); })`;
  const setup = awaited === "setup" ? `setup: () => ${wait},` : "";
  const validate = `(value) => value === "first" ? ${wait}.then(() => ({ value })) : { value }`;
  const input = awaited === "schema" ? `input: { "~standard": { validate: ${validate} } },` : "";
  writeFileSync(
    file,
    `export const t = { [Symbol.for("skein.task")]: true, name: "t", ${setup} ${input}
      run: (value) => { stage.ran.push(value); return value; } };`,
  );
  const said = new PassThrough();
  const buffer = new RowBuffer();
  // Of a socket it writes only.
  const outbox = new Outbox(said as unknown as Socket, buffer);
  const runner = new Runner(outbox, buffer, {
    wake: () => {},
    performerOf: (job, of) => new FunctionPerformer(job, file, of, new Map()),
  });
  runner.serve(job(file));
  return { runner, rows: (count: number) => rowsOf(said, count) };
}

function job(file: string): SlotJob {
  const code = { kind: "function", file } as const;
  const more = { labels: {}, finalErrors: [], worker: "w1" };
  return { kind: "job", job: "0123456789abcdef", name: "t", code, ...more };
}

async function rowsOf(said: PassThrough, count: number) {
  const reader = new FrameReader();
  const rows: { seq: number; code: number; micros: number; value: string }[] = [];
  for await (const chunk of said) {
    for (const message of reader.push(chunk as Buffer) as FromSlot[]) {
      if (message.kind !== "rows") continue;
      for (const row of readRows(message.bytes))
        rows.push({ ...row, value: String(Buffer.from(row.value)) });
    }
    if (rows.length >= count) break;
  }
  return rows;
}

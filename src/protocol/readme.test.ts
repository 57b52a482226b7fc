// README.md stays true: its bytes are what the code makes, its tables are the code's tables.

import { readFileSync } from "node:fs";
import { encode } from "@msgpack/msgpack";
import { describe, expect, it } from "vitest";
import { isErrorCode } from "./errors.ts";
import { isReferenceLine, splitLines } from "./lines.ts";
import { encodeLogRecord } from "./log-record.ts";
import { protocolVersion, protocolVersionMin } from "./messages.ts";
import { endReasons } from "./model.ts";
import { encodeOutcomes, encodeStored } from "./outcome-block.ts";
import { encodeRecord } from "./outcome-stream.ts";
import { ByteWriter } from "./varint.ts";

const beside = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");
/** Cells of tables without the spaces that align them. */
const readme = beside("README.md").replaceAll(/ +\|/g, " |");
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const joined = (...parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** The code blocks ```hex name: what stands before "#" in each line. */
const shown = new Map(
  [...readme.matchAll(/^```hex ([\w-]+)\n([^]*?)^```$/gm)].map(([, name = "", text = ""]) => {
    const digits = text.replaceAll(/#.*$/gm, "").replaceAll(/\s/g, "");
    return [name, digits] as const;
  }),
);

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.done();
}

const item = (task: number, code: number, micros: number, value: string, logBytes = 0) => {
  return { task, attempt: 1, code, micros, logBytes, value: bytesOf(value) };
};

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const error = '{"name":"Error","message":"no"}';

const made: Readonly<Record<string, Uint8Array>> = {
  ping: encode([7, 12, []]),
  hello: encode([
    1,
    0,
    [
      {
        kind: "hello",
        protocol: [protocolVersionMin, protocolVersion],
        version: "0.1.0",
        id: "w1",
        incarnation: "0011223344556677",
        journalId: null,
      },
    ],
  ]),
  lines: bytesOf('{"f":1}\nnull\n'),
  "reference-stored": bytesOf('@{"stored":{"hash":"...","size":70000}}\n'),
  varint: written((writer) => writer.varint(300)),
  zigzag: written((writer) => writer.zigzag(-1)),
  "outcome-block": encodeOutcomes([
    item(4, endReasons.succeeded.code, 100, "10"),
    item(5, endReasons.succeeded.code, 200, "null"),
    item(7, endReasons.error.code, 1_000, error, 12),
  ]),
  "stored-value": encodeStored({ hash: emptyHash, size: 70_000, encoding: "json" }),
  "log-record": joined(
    encodeLogRecord("stdout", bytesOf("hi\n")),
    encodeLogRecord("stderr", bytesOf("!")),
  ),
  "outcome-stream": joined(
    encodeRecord({
      kind: "block",
      at: { index: 300, n: 1 },
      block: encodeOutcomes([item(4, 0, 100, "10")]),
    }),
    encodeRecord({ kind: "pulse" }),
    encodeRecord({ kind: "end", at: { index: 301, n: 0 }, state: 4 }),
  ),
};

describe("protocol/README.md", () => {
  it.each(Object.keys(made))("the bytes of “%s” are what the code makes", (name) => {
    expect(shown.get(name)).toBe(hexOf(made[name] ?? bytesOf("")));
  });

  it("no other bytes are shown", () => {
    expect([...shown.keys()].toSorted()).toEqual(Object.keys(made).toSorted());
  });

  it("the lines that it shows are two, and its reference is one", () => {
    const bytesShown = (name: string) => Buffer.from(shown.get(name) ?? "", "hex");
    expect([...splitLines(bytesShown("lines"), 2)]).toEqual([0, 8, 13]);
    expect(isReferenceLine(bytesShown("reference-stored"))).toBe(true);
  });

  it("its tables hold every message of messages.ts, and no others", () => {
    const [, worker = "", master = ""] =
      /## Messages of a worker\n([^]*?)## Messages of a master\n([^]*?)### Refusals/.exec(readme) ??
      [];
    const rows = [worker, master].flatMap((text) => [...text.matchAll(/^\| `(\w+)` \|/gm)]);
    const kinds = [...beside("messages.ts").matchAll(/readonly kind: "(\w+)"/g)];
    const names = (matches: readonly RegExpExecArray[]) =>
      matches.map(([, name]) => name).toSorted();
    expect(names(rows)).toEqual(names(kinds));
  });

  it("its table of end reasons is that of model.ts", () => {
    const yes = (value: boolean) => (value ? "yes" : "no");
    const rows = Object.values(endReasons).map(({ code, name, state, retry, charged }) => {
      return `| ${code} | ${name} | ${state} | ${yes(retry)} | ${yes(charged)} |`;
    });
    const found = [...readme.matchAll(/^\| \d+ \| \w+ \| (succeeded|failed|cancelled) \|.*$/gm)];
    expect(found.map(([row]) => row)).toEqual(rows);
  });

  it("the refusals that it names are in the table of errors", () => {
    const [, text = ""] = /### Refusals\n([^]*?)## Versions/.exec(readme) ?? [];
    const codes = [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, code = ""]) => code);
    expect(codes.length).toBeGreaterThan(3);
    expect(codes.filter((code) => !isErrorCode(code))).toEqual([]);
  });
});

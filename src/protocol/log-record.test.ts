import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeLogRecord, LogRecordReader } from "./log-record.ts";

const record = fc.record({
  stream: fc.constantFrom("stdout" as const, "stderr" as const),
  bytes: fc.uint8Array({ maxLength: 300 }),
});

describe("log records", () => {
  it("come back however they are cut", () => {
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 10 }),
        fc.integer({ min: 1, max: 50 }),
        (records, step) => {
          const bytes = Uint8Array.from(
            records.flatMap(({ stream, bytes: text }) => [...encodeLogRecord(stream, text)]),
          );
          const reader = new LogRecordReader();
          const found = [];
          for (let from = 0; from < bytes.length; from += step) {
            found.push(...reader.push(bytes.slice(from, from + step)));
          }
          expect(found.map(({ stream, bytes: text }) => ({ stream, bytes: text.slice() }))).toEqual(
            records,
          );
        },
      ),
    );
  });
});

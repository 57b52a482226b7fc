import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutRecords, decodePieces, encodePiece, logStart, placeFlags } from "./log-push.ts";
import { encodeLogRecord, encodeLogTime, LogRecordReader } from "./log-record.ts";

const piece = fc.record({
  flags: fc.nat(15),
  job: fc.constantFrom("0123456789abcdef", "ffffffffffffffff"),
  task: fc.nat(4_000_000_000),
  attempt: fc.nat(1_000),
  from: fc.nat(500_000_000),
  at: fc.nat(2_000_000_000),
  bytes: fc.uint8Array({ maxLength: 100 }),
});

describe("a body of pieces", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const body = Buffer.concat(pieces.map((one) => encodePiece(one, crc32)));
        const found = decodePieces(body, crc32).map((one) => {
          return { ...one, bytes: Uint8Array.from(one.bytes) };
        });
        expect(found).toEqual(pieces.map((one) => ({ ...one, crc: crc32(one.bytes) })));
      }),
    );
  });

  it("that was damaged or cut is refused, or as it was, and nothing else", () => {
    fc.assert(
      fc.property(piece, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, by) => {
        const body = encodePiece(one, crc32);
        // The head has no CRC of its own: what is printed has.
        const index = body.length - 1 - (at % Math.max(1, one.bytes.length));
        if (one.bytes.length === 0) return;
        body[index] = (body[index] ?? 0) ^ by;
        expect(() => decodePieces(body, crc32)).toThrow("CRC");
        expect(() => decodePieces(body.subarray(0, -1), crc32)).toThrow("within a piece");
      }),
    );
  });

  it("of random bytes is refused without another error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        expect(() => decodePieces(bytes, crc32)).toThrow("no run of pieces");
      }),
    );
  });
});

describe("records for a piece", () => {
  const bytes = Buffer.concat([
    encodeLogTime(1_000),
    encodeLogRecord("stdout", Buffer.from("half")),
    encodeLogRecord("stderr", Buffer.from("whole\n")),
    encodeLogTime(2_000),
    encodeLogRecord("stdout", Buffer.from(" a line\n")),
  ]);

  it("are whole, and say what stands before the next", () => {
    const first = cutRecords(bytes, 13 + 9 + 11, logStart);
    expect(first).toMatchObject({ length: 33, at: 1_000 });
    expect(placeFlags(first.after)).toBe(4);
    const rest = cutRecords(bytes.subarray(first.length), 1_000, first.after);
    expect(rest).toMatchObject({ length: bytes.length - 33, at: 2_000 });
    expect(placeFlags(rest.after)).toBe(0);
  });

  it("are none where none fits, or the last is torn", () => {
    expect(cutRecords(bytes, 12, logStart).length).toBe(0);
    expect(cutRecords(bytes.subarray(0, 20), 1_000, logStart).length).toBe(13);
  });

  it("tell their time and where to go on", () => {
    const found = new LogRecordReader(100).push(bytes);
    expect(found.map(({ at, end }) => [at, end])).toEqual([
      [1_000, 122],
      [1_000, 133],
      [2_000, 159],
    ]);
  });
});

import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { FrameReader, frame } from "./frames.ts";
import { bytesField, fieldsOf, messageField, numberField } from "./protobuf.ts";

describe("protobuf by hand", () => {
  it("writes what the specification's examples say", () => {
    expect(numberField(1, 150).toString("hex")).toBe("089601");
    expect(bytesField(2, "testing").toString("hex")).toBe("120774657374696e67");
    expect(messageField(3, numberField(1, 150)).toString("hex")).toBe("1a03089601");
    expect(bytesField(64, "x").toString("hex")).toBe("82040178");
  });

  it("leaves out what is zero or empty, but not an empty message", () => {
    expect(numberField(1, 0)).toHaveLength(0);
    expect(bytesField(1, "")).toHaveLength(0);
    expect(messageField(1).toString("hex")).toBe("0a00");
  });

  it("reads back all 64 bits of an id", () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 2n ** 64n - 1n), (value) => {
        expect(fieldsOf(numberField(3, value))).toMatchObject([{ field: 3, value }]);
      }),
    );
  });

  it("throws on bytes that are cut off", () => {
    const whole = Buffer.concat([numberField(1, 2n ** 40n), bytesField(2, "testing")]);
    for (const end of [1, 3, whole.length - 1]) {
      expect(() => fieldsOf(whole.subarray(0, end))).toThrow("not a protobuf message");
    }
  });

  it("skips fixed-size fields that it does not know", () => {
    const fixed = Buffer.from([0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4]);
    const fields = fieldsOf(Buffer.concat([fixed, numberField(3, 7)]));
    expect(fields.map(({ field, value }) => [field, value])).toEqual([
      [1, 0n],
      [2, 0n],
      [3, 7n],
    ]);
  });
});

describe("frames of gRPC", () => {
  it("come back whole from chunks of any size", () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(messages, fc.integer({ min: 1, max: 60 }), (given, size) => {
        const bytes = Buffer.concat(given.map(frame));
        const reader = new FrameReader();
        const found: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; at += size) {
          found.push(...reader.push(bytes.subarray(at, at + size)));
        }
        expect(found.map((one) => Uint8Array.from(one))).toEqual(given);
      }),
    );
  });

  it("that are compressed or far too large throw", () => {
    expect(() => new FrameReader().push(Buffer.from([1, 0, 0, 0, 0]))).toThrow("compressed");
    expect(() => new FrameReader().push(Buffer.from([0, 255, 0, 0, 0]))).toThrow("bytes");
  });
});

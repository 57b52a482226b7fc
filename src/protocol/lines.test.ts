import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countLines, isReferenceLine, splitLines } from "./lines.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("lines of inputs", () => {
  it("offsets cut them apart again, whatever JSON they hold", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (values) => {
        const lines = values.map((value) => JSON.stringify(value));
        const bytes = bytesOf(lines.map((line) => `${line}\n`).join(""));
        const offsets = splitLines(bytes, lines.length);
        expect(countLines(bytes)).toBe(lines.length);
        const found = lines.map((_, i) =>
          new TextDecoder().decode(bytes.subarray(offsets[i], (offsets[i + 1] ?? 0) - 1)),
        );
        expect(found).toEqual(lines);
        expect(offsets[lines.length]).toBe(bytes.length);
      }),
    );
  });

  it.each([
    ["fewer than announced", "1\n", 2],
    ["more than announced", "1\n2\n", 1],
    ["a last one without its end", "1\n2", 2],
    ["bytes where none were announced", "\n", 0],
  ])("%s are refused", (_name, text, count) => {
    expect(() => splitLines(bytesOf(text), count)).toThrow(RangeError);
  });

  it("no JSON is taken for a reference, and a reference is", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(isReferenceLine(bytesOf(JSON.stringify(value)))).toBe(false);
      }),
    );
    expect(isReferenceLine(bytesOf('@{"value":null,"refs":[]}'))).toBe(true);
    expect(isReferenceLine(new Uint8Array(0))).toBe(false);
  });
});

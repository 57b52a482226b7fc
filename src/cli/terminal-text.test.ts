import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TerminalText } from "./terminal-text.ts";

const esc = "\u001b";

function shown(text: string, cutAt?: number): string {
  const bytes = Buffer.from(text);
  const filter = new TerminalText();
  const parts = cutAt === undefined ? [bytes] : [bytes.subarray(0, cutAt), bytes.subarray(cutAt)];
  return Buffer.concat(parts.map((part) => filter.push(part))).toString();
}

describe("what a task printed, on a terminal", () => {
  it("keeps text of all scripts, tabs and colours", () => {
    const text = `a\tb\r\n${esc}[1;31mred${esc}[0m äö 日本 🎬 \u00a0x\n`;
    expect(shown(text)).toBe(text);
  });

  it.each([
    ["a title", `${esc}]0;evil\u0007`],
    ["a link", `${esc}]8;;http://x${esc}\\`],
    ["a clipboard", `${esc}]52;c;ZXZpbA==\u0007`],
    ["a moved cursor", `${esc}[2A`],
    ["a cleared screen", `${esc}[2J`],
    ["a question", `${esc}[6n`],
    ["a device string", `${esc}P+q544e${esc}\\`],
    ["another alphabet", `${esc}(0`],
    ["a reset", `${esc}c`],
    ["a bell and a backspace", "\u0007\b"],
    ["C1 codes", "\u009b2J\u009d0;x\u0007"],
    ["a private colour", `${esc}[?25l`],
  ])("drops %s", (_, sequence) => {
    expect(shown(`before ${sequence}after\n`)).toBe("before after\n");
  });

  it("does not lose the next line to a sequence that never ends", () => {
    expect(shown(`${esc}]0;never\nnext\n`)).toBe("\nnext\n");
    expect(shown(`${esc}[${"1".repeat(100)}\nnext\n`)).toContain("\nnext\n");
  });

  it("is the same however it is cut, and never has an escape but that of a colour", () => {
    const part = fc.constantFrom(
      esc,
      "[",
      "]",
      "2",
      ";",
      "m",
      "J",
      "\n",
      "x",
      "\u009b",
      "\u0007",
      "ä",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), fc.nat(60), (parts, cutAt) => {
        const text = parts.join("");
        expect(shown(text, cutAt)).toBe(shown(text));
        const plain = shown(text).split(esc);
        // Behind each escape: a colour. Nothing else that is no text.
        for (const after of plain.slice(1)) expect(after).toMatch(/^\[[0-9;:]*m/);
        const codes = Array.from(plain.join(""), (char) => char.codePointAt(0) ?? 0);
        const steers = (code: number) => code < 0x20 || (code >= 0x7f && code <= 0x9f);
        expect(codes.filter((code) => steers(code) && ![9, 10, 13].includes(code))).toEqual([]);
      }),
    );
  });
});

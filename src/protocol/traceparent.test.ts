import { expect, test } from "vitest";
import { formatTraceparent, parseTraceparent } from "./traceparent.ts";

const trace = "0af7651916cd43dd8448eb211c80319c";
const span = "b7ad6b7169203331";

test("a traceparent comes back as it was sent", () => {
  const header = `00-${trace}-${span}-01`;
  const parsed = parseTraceparent(header);
  expect(parsed).toEqual({ traceId: trace, spanId: span, flags: 1 });
  expect(parsed && formatTraceparent(parsed)).toBe(header);
});

test("a later version is read as far as it is known", () => {
  expect(parseTraceparent(`cc-${trace}-${span}-01-what-comes-next`)?.spanId).toBe(span);
});

test.each([
  undefined,
  "",
  "00",
  `ff-${trace}-${span}-01`,
  `00-${"0".repeat(32)}-${span}-01`,
  `00-${trace}-${"0".repeat(16)}-01`,
  `00-${trace.toUpperCase()}-${span}-01`,
  `00-${trace}-${span}-01x`,
  `00-${trace}-${span}`,
])("%s is none", (header) => {
  expect(parseTraceparent(header)).toBe(undefined);
});

import { describe, expect, it } from "vitest";
import { errorKinds, fromProblem, isErrorCode, SkeinError, toProblem } from "./errors.ts";
import type { ErrorCode } from "./errors.ts";

const codes = Object.keys(errorKinds) as ErrorCode[]; // the table's own keys

describe("the error table", () => {
  it.each(codes)("%s says what is wrong and what to do", (code) => {
    const { status, exit, title, hint } = errorKinds[code];
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(exit).toBeGreaterThan(0);
    expect(exit).toBeLessThan(128);
    expect(title).toMatch(/^[A-Zc].*[^.]$/);
    expect(hint).toMatch(/[.]$/);
  });

  it("what may be tried again has a status that says so", () => {
    const later = new Set([429, 500, 503, 504, 507]);
    for (const code of codes) {
      const { status, retryable } = errorKinds[code];
      if (retryable) expect(later, code).toContain(status);
      else expect([429, 503, 504], code).not.toContain(status);
    }
  });

  it.each(codes)("%s crosses a boundary as problem details and comes back", (code) => {
    const fields = [{ pointer: "/needs", detail: "must be an object" }];
    const error = new SkeinError(code, "this and that", {
      hint: "do this",
      fields,
      instance: "r7",
    });
    const wire: unknown = JSON.parse(JSON.stringify(toProblem(error)));
    const back = fromProblem(wire as ReturnType<typeof toProblem>, 5);
    expect(back.code).toBe(code);
    expect(back.message).toBe("this and that");
    expect(back.hint).toBe("do this");
    expect(back.details).toEqual({ hint: "do this", fields, instance: "r7", retryAfter: 5 });
  });

  it("what a proxy or a newer master sends is an internal error, never a crash", () => {
    expect(fromProblem({}).code).toBe("internal");
    expect(fromProblem({ code: "toString" as ErrorCode, title: "Odd" }).message).toBe("Odd");
    expect(isErrorCode("toString")).toBe(false);
    expect(isErrorCode("not_found")).toBe(true);
  });
});

import { describe, expect, it } from "vitest";
import { JournalHalt } from "./halt.ts";
import { appendTrouble, haltOf } from "./sqlite-errors.ts";
import { sharedFileSystem } from "../lib/shared-file-systems.ts";
import { checkVersion } from "./sqlite-preflight.ts";

describe("the version of SQLite", () => {
  it("may be 3.51.3 or later", () => {
    for (const version of ["3.51.3", "3.51.10", "3.52.0", "4.0.0"]) checkVersion(version);
  });

  it("may not be older", () => {
    for (const version of ["3.51.2", "3.50.9", "3.9.99", "2.99.0"]) {
      expect(() => checkVersion(version)).toThrow(/can corrupt a WAL/);
    }
  });
});

describe("the file system under a journal", () => {
  it("may be local", () => {
    for (const type of [0xef53, 0x58465342, 0x9123683e, 0x01021994]) {
      expect(sharedFileSystem(type, "linux")).toBeUndefined();
    }
  });

  it("may not be shared, however the number is signed", () => {
    expect(sharedFileSystem(0x6969, "linux")).toBe("NFS");
    expect(sharedFileSystem(0xff534d42, "linux")).toBe("CIFS");
    expect(sharedFileSystem(0xff534d42 | 0, "linux")).toBe("CIFS");
  });

  it("is not judged by Linux numbers elsewhere", () => {
    expect(sharedFileSystem(0x6969, "darwin")).toBeUndefined();
  });
});

describe("what SQLite answers", () => {
  const failure = (errcode: number) => Object.assign(new Error("failed"), { errcode });

  it("is a refusal where nothing was stored nor will be", () => {
    expect(appendTrouble(failure(13))).toMatchObject({ kind: "refused", code: "no_space" });
    expect(appendTrouble(failure(18))).toMatchObject({ kind: "refused", code: "too_large" });
    expect(appendTrouble(failure(8))).toMatchObject({ kind: "refused", code: "forbidden" });
  });

  it("is unknown where the caller should look and try again", () => {
    expect(appendTrouble(failure(5)).kind).toBe("unknown");
    expect(appendTrouble(failure(517)).kind).toBe("unknown");
    expect(appendTrouble(failure(7)).kind).toBe("unknown");
  });

  it("is a halt when an fsync, a read or a write failed, or the file was moved (J5)", () => {
    for (const code of [1034, 266, 778, 1032]) {
      expect(() => appendTrouble(failure(code))).toThrow(/restart this master/);
    }
    expect(() => appendTrouble(failure(11))).toThrow(/damaged/);
  });

  it("keeps a halt that already is one", () => {
    const halt = new JournalHalt("gap", { what: "a", why: "b", todo: "c" });
    expect(haltOf(halt)).toBe(halt);
  });
});

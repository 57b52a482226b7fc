import { describe, expect, it } from "vitest";
import { openJournal } from "../engines.ts";
import { errorOf, EtcdRefusal } from "./errors.ts";
import { checkVersion, versionNotes } from "./preflight.ts";
import { parseEtcdUrl } from "./url.ts";

describe("the URL of a journal in etcd", () => {
  it("names endpoints, prefix, user and TLS", () => {
    expect(parseEtcdUrl("a:2379,b:2379,[::1]:2379/skein/", false)).toEqual({
      endpoints: ["http://a:2379", "http://b:2379", "http://[::1]:2379"],
      prefix: "/skein/",
    });
    expect(parseEtcdUrl("me:p%40ss%3Aword@a:80/x/y", true)).toEqual({
      endpoints: ["https://a:80"],
      prefix: "/x/y/",
      tls: {},
      user: { name: "me", password: "p@ss:word" },
    });
  });

  it("says what is wrong with it, and never repeats a password", () => {
    for (const [rest, why] of [
      ["a:2379", "names no prefix"],
      ["a:2379/", "names no prefix"],
      ["a/skein", "is not host:port"],
      ["a:2379,/skein", "is not host:port"],
      ["me:secret@a:notaport/skein", "is not host:port"],
      ["me@a:1/skein", "the user has no password"],
      ["me:%zz@a:1/skein", "percent-encoding"],
      ["a:1/skein?retry=3", "none of ca, cert, key"],
      ["a:1/skein?ca=/not/there", "cannot be read"],
    ] as const) {
      expect(() => parseEtcdUrl(rest, false), rest).toThrow(why);
      expect(() => parseEtcdUrl(rest, false)).not.toThrow("secret");
    }
  });

  it("is known to the registry", async () => {
    await expect(openJournal("etcd://host:2379")).rejects.toThrow("names no prefix");
    await expect(openJournal("etcds://host/x")).rejects.toThrow("is not host:port");
  });
});

describe("the version of etcd", () => {
  it("is refused where it loses what it acknowledged, or never had what is needed", () => {
    for (const version of ["3.5.0", "3.5.2", "3.3.27", "2.3.8"]) {
      expect(() => checkVersion(version)).toThrow(/cannot hold a journal/);
    }
    for (const version of ["3.4.23", "3.5.3", "3.5.30", "3.6.0-rc.1", "3.7.1", "4.0.0"]) {
      checkVersion(version);
    }
  });

  it("is noted where a later one is advised", () => {
    for (const version of ["3.4.23", "3.5.25", "3.6.4"]) {
      expect(versionNotes(version).join()).toContain(version);
    }
    for (const version of ["3.5.26", "3.6.5", "3.7.0"]) expect(versionNotes(version)).toEqual([]);
  });
});

describe("what etcd answers", () => {
  const kindOf = (code: number, message: string) => {
    const error = errorOf(code, message);
    return error instanceof EtcdRefusal ? error.kind : error.name;
  };

  it("is a refusal only where it is a definite no", () => {
    expect(kindOf(8, "etcdserver: mvcc: database space exceeded")).toBe("no_space");
    expect(kindOf(3, "etcdserver: request is too large")).toBe("too_large");
    expect(kindOf(8, "grpc: received message larger than max (2 vs. 1)")).toBe("too_large");
    expect(kindOf(7, "etcdserver: permission denied")).toBe("forbidden");
    expect(kindOf(16, "etcdserver: invalid auth token")).toBe("token");
    expect(kindOf(3, "etcdserver: revision of auth store is old")).toBe("token");
    expect(kindOf(11, "etcdserver: mvcc: required revision has been compacted")).toBe("compacted");
  });

  it("is unavailable where it may have been done, or was not looked at", () => {
    for (const [code, message] of [
      [14, "etcdserver: request timed out"],
      [14, "etcdserver: leader changed"],
      [8, "etcdserver: too many requests"],
      [4, "context deadline exceeded"],
    ] as const) {
      expect(kindOf(code, message)).toBe("EngineUnavailable");
    }
  });

  it("is a halt where its members disagree", () => {
    expect(errorOf(15, "etcdserver: corrupt cluster")).toMatchObject({ kind: "corrupt" });
  });
});

import { describe, expect, test } from "vitest";
import { Cluster } from "../cluster.fixture.ts";

const kinds = (cluster: Cluster) => cluster.entries.map(({ kind }) => kind);

function master(id: string, more: { readonly incarnation?: string; readonly top?: number } = {}) {
  const { incarnation = `${id}-1`, top = 1 } = more;
  const levels = [1, top] as const;
  return { kind: "joinMaster", id, incarnation, addresses: [`http://${id}`], levels } as const;
}

describe("a master that says hello", () => {
  test("is written down once, and again when anything of it is new (L6)", () => {
    const cluster = new Cluster();
    cluster.ask(master("a"));
    expect(kinds(cluster)).toEqual(["masterJoined"]);
    cluster.ask(master("a"));
    expect(kinds(cluster)).toEqual([]);
    cluster.ask(master("a", { incarnation: "a-2" }));
    expect(kinds(cluster)).toEqual(["masterJoined"]);
    cluster.ask({ ...master("a", { incarnation: "a-2" }), addresses: ["http://elsewhere"] });
    expect(kinds(cluster)).toEqual(["masterJoined"]);
    expect([...cluster.state.masters.keys()]).toEqual(["a"]);
  });

  test("raises the feature level only when all masters can read it (L11)", () => {
    const cluster = new Cluster();
    cluster.ask(master("a", { top: 2 }));
    expect(cluster.state.featureLevel).toBe(2);
    const mixed = new Cluster();
    mixed.ask(master("old", { top: 1 }));
    mixed.ask(master("new", { top: 3 }));
    expect(mixed.state.featureLevel).toBe(1);
    mixed.ask(master("old", { incarnation: "old-2", top: 2 }));
    expect(mixed.state.featureLevel).toBe(2);
    // It never falls: what was written by it stands in the journal.
    mixed.ask(master("older", { top: 1 }));
    expect([mixed.state.featureLevel, kinds(mixed)]).toEqual([2, ["masterJoined"]]);
  });
});

describe("a master that has long been away", () => {
  test("is forgotten, unless it leads or nobody knows it", () => {
    const cluster = new Cluster();
    cluster.ask(master("a"));
    cluster.ask(master("b"));
    cluster.state.leader = {
      id: "a",
      incarnation: "a-1",
      addresses: [],
      term: 1,
      electedAt: 0,
      electedWall: 0,
      process: null,
    };
    for (const id of ["a", "nobody"]) {
      cluster.ask({ kind: "forgetMaster", id });
      expect(kinds(cluster)).toEqual([]);
    }
    cluster.ask({ kind: "forgetMaster", id: "b" });
    expect(kinds(cluster)).toEqual(["masterLeft"]);
    expect([...cluster.state.masters.keys()]).toEqual(["a"]);
  });
});

describe("the journal", () => {
  const snapshot = (index: number) =>
    ({ kind: "noteSnapshot", index, digest: "d", file: "f" }) as const;

  test("names a snapshot that is newer than the last, and no other (A4)", () => {
    const cluster = new Cluster();
    cluster.ask(snapshot(10));
    cluster.ask(snapshot(10));
    expect(kinds(cluster)).toEqual([]);
    cluster.ask(snapshot(9));
    expect([kinds(cluster), cluster.state.snapshotIndex]).toEqual([[], 10]);
    cluster.ask(snapshot(11));
    expect(cluster.state.snapshotIndex).toBe(11);
  });

  test("is trimmed up to the last snapshot, never beyond, and never twice (A5)", () => {
    const cluster = new Cluster();
    expect(cluster.ask({ kind: "trim", below: 2 })).toMatchObject({ ok: false, code: "conflict" });
    cluster.ask(snapshot(10));
    expect(cluster.ask({ kind: "trim", below: 12 })).toMatchObject({ ok: false });
    expect(kinds(cluster)).toEqual([]);
    cluster.ask({ kind: "trim", below: 11 });
    expect([kinds(cluster), cluster.state.trimIndex]).toEqual([["trimmed"], 11]);
    for (const below of [11, 5]) {
      expect(cluster.ask({ kind: "trim", below })).toEqual({ ok: true });
      expect(kinds(cluster)).toEqual([]);
    }
  });
});

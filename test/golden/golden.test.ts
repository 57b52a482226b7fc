// J1: what an older release wrote, this one replays to the same state. Journals here are never rewritten.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { replay, unpackBatches, untold } from "./golden.ts";

const folder = new URL(".", import.meta.url);
const releases = readdirSync(folder)
  .filter((name) => name.endsWith(".journal"))
  .map((name) => name.replace(/\.journal$/, ""));

const read = (name: string) => readFileSync(new URL(name, folder));

describe("J1: golden journals", () => {
  for (const release of releases) {
    it(`the journal of ${release} replays to the state it had`, () => {
      const expected: unknown = JSON.parse(read(`${release}.json`).toString());
      expect(replay(unpackBatches(read(`${release}.journal`)))).toEqual(expected);
    });
  }

  it("every kind of entry is told by one of them", () => {
    const told = releases.map((release) =>
      untold(replay(unpackBatches(read(`${release}.journal`)))),
    );
    const nowhere = told.reduce((all, some) => all.filter((kind) => some.includes(kind)));
    expect(nowhere).toEqual([]);
  });

  it("one flipped bit anywhere in a journal is noticed (J5)", () => {
    const bytes = read(`${releases[0]}.journal`);
    for (let at = 40; at < bytes.length; at += 997) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 4;
      expect(() => unpackBatches(damaged), `bit flipped in byte ${at}`).toThrow();
    }
  });
});

// A checker that cannot fail checks nothing: every rule is shown a wrong file, and a right one beside it.

import { describe, expect, it } from "vitest";

import { checkCoreWords } from "./core-words.ts";
import {
  checkCommands,
  checkDependencyTable,
  checkLinks,
  checkQuotedPaths,
  checkTitles,
} from "./documents.ts";
import { functionsOf } from "./functions.ts";
import { importsOf } from "./imports.ts";
import { checkLayers } from "./layers.ts";
import { checkLengths, checkNames } from "./lengths.ts";
import { checkDeadFiles, checkDefaultExports, checkPackages } from "./modules.ts";
import { describeFinding, sourceOf, type Rule } from "./source.ts";
import { tokensOf } from "./tokens.ts";
import { checkLock, checkMachinePaths, checkNotes, checkSkippedTests } from "./words.ts";

const manifest = {
  bin: { skein: "./dist/cli/main.js" },
  scripts: { test: "vitest run", demo: "tsx examples/film/film.ts" },
  dependencies: { zod: "4" },
  devDependencies: { vitest: "4" },
};

/** The page is built, not installed: its packages are its own, and nobody else's. */
const page = { devDependencies: { react: "19" } };

/** Runs a rule over files given as path → text, and gives “path:line what” of each finding. */
function found(rule: Rule, files: Readonly<Record<string, string>>): readonly string[] {
  const all = {
    "package.json": JSON.stringify(manifest),
    "dashboard/package.json": JSON.stringify(page),
    "ARCHITECTURE.md": "# A\n",
    ...files,
  };
  const findings = rule(Object.entries(all).map(([path, text]) => sourceOf(path, text)));
  return findings.map(({ path, line, what }) => `${path}:${line} ${what}`);
}

describe("the scanner", () => {
  const words = (text: string): readonly string[] =>
    tokensOf(text)
      .filter(({ kind }) => kind === "word")
      .map((token) => token.text);

  it("keeps comments, strings, templates and regular expressions apart from code", () => {
    expect(words("a // b\n/* c */ 'd' \"e\"; /f'g/; h")).toEqual(["a", "h"]);
    expect(words("`a ${b + `c ${d}`} e` + f")).toEqual(["b", "d", "f"]);
    expect(words("x = a / b / c; y = {}; /['\"]/.test(z)")).toContain("z");
    expect(words("const p = `'${q({ r: '}' })}`; s")).toEqual(["const", "p", "q", "r", "s"]);
  });
  it("counts lines through comments and templates", () => {
    const last = tokensOf("/* 1\n2 */ `3\n${a}\n4` b").at(-1);
    expect(last).toMatchObject({ text: "b", line: 4 });
  });
  it("reads imports of every form", () => {
    const text = [
      'import { a, type b as c } from "./1.ts";',
      'import type { D } from "./2.ts";',
      'export * from "./3.ts";',
      'import "./4.ts";',
      'type E = import("./5.ts").E;',
      'export const f = "from"; const from = "./no.ts";',
      'import { type G } from "./6.ts";',
    ].join("\n");
    const imports = importsOf(sourceOf("x.ts", text));
    expect(imports.map(({ specifier }) => specifier)).toEqual(
      [1, 2, 3, 4, 5, 6].map((n) => `./${n}.ts`),
    );
    expect(imports.map(({ typeOnly }) => typeOnly)).toEqual([
      false,
      true,
      false,
      false,
      false,
      true,
    ]);
    expect(imports[0]?.names).toEqual(["a", "b"]);
  });
  it("finds functions of every form, and nothing else", () => {
    const text = [
      "function a(): Promise<{ x: 1 }> { if (b) { c(); } }",
      "const d = async (e: string): Map<string, number[]> => { for (;;) { } };",
      "class F { #g({ h }: I): asserts h is J { } get k() { return { l: m(), n: { } }; } }",
      "const o = p => { }; switch (q(r)) { case s(t): { } }",
      "const u = v ? w() : { }; const y = (): { z: 1 } => { return aa; };",
    ].join("\n");
    const names = functionsOf(sourceOf("x.ts", text).code).map(({ name }) => name);
    expect(names).toEqual(["a", "d", "#g", "k", "p => …", "y"]);
  });
});

describe("rules about layers and the core", () => {
  it("refuse an import against the direction, even of a type", () => {
    const files = { "src/core/a.ts": 'import type { M } from "../master/m.ts";' };
    expect(found(checkLayers, files)).toEqual([
      "src/core/a.ts:1 core may not import master (src/master/m.ts).",
    ]);
    expect(found(checkLayers, { "src/master/a.ts": 'import { c } from "../core/c.ts";' })).toEqual(
      [],
    );
  });
  it("let core have the words and three pure modules of protocol, and the type ErrorCode", () => {
    const core = (line: string): readonly string[] => found(checkLayers, { "src/core/a.ts": line });
    expect(core('import { a } from "../protocol/lines.ts";')).toEqual([]);
    expect(core('import type { ErrorCode } from "../protocol/errors.ts";')).toEqual([]);
    expect(core('import { errors } from "../protocol/errors.ts";')).toHaveLength(1);
    expect(core('import { routes } from "../protocol/routes.ts";')).toHaveLength(1);
    expect(core('import { z } from "zod";')).toHaveLength(1);
  });
  it("let ids, model and limits import nothing but each other", () => {
    const ids = (line: string): readonly string[] =>
      found(checkLayers, { "src/protocol/ids.ts": line });
    expect(ids('import { limits } from "./limits.ts";')).toEqual([]);
    expect(ids('import { lines } from "./lines.ts";')).toHaveLength(1);
    expect(ids('import { z } from "zod";')).toHaveLength(1);
  });
  it("keep Node out of client, core and protocol, but not out of their tests", () => {
    const line = 'import { readFileSync } from "node:fs";';
    const paths = ["src/client/a.ts", "src/core/a.ts", "src/protocol/a.ts"];
    for (const path of paths) expect(found(checkLayers, { [path]: line })).toHaveLength(1);
    expect(found(checkLayers, { "src/core/a.test.ts": line, "src/worker/a.ts": line })).toEqual([]);
  });
  it("refuse a file in no layer", () => {
    expect(found(checkLayers, { "src/utils/a.ts": "" })).toHaveLength(1);
  });
  it("refuse clocks, chance, locale, waiting and for-in in core", () => {
    const core = (line: string): readonly string[] =>
      found(checkCoreWords, { "src/core/a.ts": line });
    const wrong = [
      "Date.now()",
      "Math.random()",
      "Math.exp(1)",
      "a.localeCompare(b)",
      "n.toLocaleString()",
      "new Intl.Collator()",
      "new WeakRef(a)",
      "async () => 1",
      "let p: Promise<void>",
      "setTimeout(f)",
      "for (const k in o) f(k)",
      "for (k in o) f(k)",
    ];
    for (const line of wrong) expect(core(line), line).toHaveLength(1);
    const right =
      "// Date\nMath.floor(1); const s = 'await'; for (const a of b) c(); if (a in b) d();";
    expect(core(right)).toEqual([]);
  });
});

describe("rules about files and modules", () => {
  it("refuse long files and long functions, tests excepted", () => {
    const long = `function f() {\n${"a();\n".repeat(80)}}\n`;
    expect(found(checkLengths, { "src/lib/a.ts": long })).toEqual([
      "src/lib/a.ts:1 f has 82 lines, 12 too many.",
    ]);
    expect(found(checkLengths, { "src/lib/a.ts": "a();\n".repeat(501) })).toHaveLength(1);
    expect(found(checkLengths, { "src/lib/a.test.ts": long.repeat(9) })).toEqual([]);
  });
  it("refuse names that are not in kebab-case", () => {
    const files = { "src/lib/fooBar.ts": "", "src/lib/foo-bar.test.ts": "" };
    expect(found(checkNames, files)).toEqual([
      "src/lib/fooBar.ts:1 the name is not in kebab-case.",
    ]);
  });
  it("refuse default exports outside of configuration", () => {
    const files = { "src/lib/a.ts": "export default 1;", "vitest.config.ts": "export default 1;" };
    expect(found(checkDefaultExports, files)).toEqual(["src/lib/a.ts:1 a default export."]);
  });
  it("find what nobody imports, and what only tests import", () => {
    const files = {
      "src/cli/main.ts": 'import "./a.ts"; new URL("./thread.ts", import.meta.url);',
      "src/cli/a.ts": "",
      "src/cli/thread.ts": "",
      "src/cli/dead.ts": "",
      "src/cli/tested.ts": "",
      "src/cli/tested.test.ts": 'import "./tested.ts"; import "./x.fixture.ts";',
      "src/cli/x.fixture.ts": "",
    };
    expect(found(checkDeadFiles, files)).toEqual([
      "src/cli/dead.ts:1 nobody imports this file.",
      "src/cli/tested.ts:1 only tests import this file.",
    ]);
  });
  it("refuse packages that users do not install", () => {
    const text = 'import "zod/v4";\nimport "vitest";\nimport "left-pad";';
    expect(found(checkPackages, { "src/lib/a.ts": text, "test/a.ts": text })).toHaveLength(3);
    const drawn = 'import "react";';
    expect(found(checkPackages, { "dashboard/src/a.tsx": drawn })).toEqual([]);
    expect(found(checkPackages, { "src/lib/a.ts": drawn })).toHaveLength(1);
  });
});

describe("rules about words", () => {
  it("refuse open notes and paths of one machine", () => {
    const files = { "src/lib/a.ts": `// ${"TO"}DO\nconst a = "/home/x";` };
    expect(found(checkNotes, files)).toHaveLength(1);
    expect(found(checkMachinePaths, files)).toEqual([
      "src/lib/a.ts:2 “/home/x…” exists on one machine only.",
    ]);
    expect(found(checkMachinePaths, { "a.md": "https://a.b/work/c and ../work/d" })).toEqual([]);
  });
  it("refuse focused, open and unexplained skipped tests", () => {
    const skipped = (line: string): readonly string[] =>
      found(checkSkippedTests, { "src/lib/a.test.ts": line });
    for (const line of ['it.only("a")', 'test.todo("a")', 'it.skip("a")', "describe.skip(name)"]) {
      expect(skipped(line), line).toHaveLength(1);
    }
    expect(skipped('it.skip("a (no second disk here)"); it("b"); x.only()')).toEqual([]);
  });
  it("refuse a lock that names a registry", () => {
    const lock = '{\n"resolved": "https://registry.npmjs.org/a/-/a.tgz" }';
    expect(found(checkLock, { "package-lock.json": lock })).toHaveLength(1);
  });
});

describe("rules about documents", () => {
  it("ask for exactly one title", () => {
    expect(found(checkTitles, { "a.md": "# A\n\n# B\n", "b.md": "## B\n" })).toHaveLength(2);
    expect(found(checkTitles, { "a.md": "# A\n\n```sh\n# not a title\n```\n" })).toEqual([]);
  });
  it("find dead links and dead anchors", () => {
    const text = "# A title\n[a](b.md) [b](#a-title) [c](#gone) [d](https://x.y) [e](docs/)";
    expect(found(checkLinks, { "a.md": text, "docs/c.md": "# C" })).toEqual([
      "a.md:2 b.md leads to b.md, which does not exist.",
      "a.md:2 a.md has no heading “gone”.",
    ]);
  });
  it("find paths in backticks that do not exist", () => {
    const files = { "a.md": "`src/lib/a.ts` and `src/lib/gone.ts`", "src/lib/a.ts": "" };
    expect(found(checkQuotedPaths, files)).toEqual(["a.md:1 `src/lib/gone.ts` does not exist."]);
  });
  it("find commands that are no scripts", () => {
    const text =
      "`npm ci && npm run demo`, `npm test`, npm works, `npm run gone`\n\n    npm run lost\n";
    expect(found(checkCommands, { "a.md": text })).toEqual([
      "a.md:1 “npm run gone” is not a script of package.json.",
      "a.md:3 “npm run lost” is not a script of package.json.",
    ]);
  });
  it("ask for a reason for every dependency", () => {
    const table = "# A\n\n| `zod` | schemas |\n";
    expect(found(checkDependencyTable, { "ARCHITECTURE.md": table })).toEqual([
      "ARCHITECTURE.md:1 package.json depends on vitest; the table does not.",
    ]);
  });
});

it("a finding says where, which rule, what is wrong and what to do", () => {
  const finding = {
    path: "a.ts",
    line: 3,
    rule: "layers",
    what: "it is wrong.",
    remedy: "mend it.",
  };
  expect(describeFinding(finding)).toBe("a.ts:3  layers: it is wrong. Do: mend it.");
});

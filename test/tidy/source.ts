// The files of the repository as the rules see them: read once, scanned when first asked.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { tokensOf, type Token } from "./tokens.ts";

export interface Source {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Without comments. */
  readonly code: readonly Token[];
  readonly comments: readonly Token[];
}

/** One breach: where, what, and what to do about it. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly what: string;
  readonly remedy: string;
}

/** A rule looks at all files at once, since some rules are about what is absent. */
export type Rule = (sources: readonly Source[]) => readonly Finding[];

export function describeFinding({ path, line, rule, what, remedy }: Finding): string {
  return `${path}:${line}  ${rule}: ${what} Do: ${remedy}`;
}

export function isTest(path: string): boolean {
  return path.endsWith(".test.ts");
}

/** What stands in the tree only to serve tests. */
export function servesTests(path: string): boolean {
  return isTest(path) || path.startsWith("test/") || path.endsWith(".fixture.ts");
}

export function isCode(path: string): boolean {
  return /\.(tsx?|mjs)$/.test(path);
}

/** `src/core/machine.ts` → `core`; undefined outside `src`. */
export function layerOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

export function sourceOf(path: string, text: string): Source {
  let scanned: readonly Token[] | undefined;
  const tokens = (): readonly Token[] => (scanned ??= isCode(path) ? tokensOf(text) : []);
  return {
    path,
    text,
    get code() {
      return tokens().filter(({ kind }) => kind !== "comment");
    },
    get comments() {
      return tokens().filter(({ kind }) => kind === "comment");
    },
  };
}

const ignoredFolders = new Set(["node_modules", "dist", "coverage", "out", "scratch"]);
const hiddenKept = new Set([".ci", ".oxlintrc.json", ".oxfmtrc.json", ".npmrc", ".gitignore"]);
const textFile = /(\.(tsx?|mjs|json|md|txt|yml|yaml|html|css|sh)|\/run|\.npmrc|\.gitignore)$/;

/** Every text file below `root` that belongs to the repository. */
export function readRepository(root: string): readonly Source[] {
  const sources: Source[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (ignoredFolders.has(entry.name)) continue;
      if (entry.name.startsWith(".") && !hiddenKept.has(entry.name)) continue;
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (textFile.test(path)) {
        sources.push(sourceOf(path, readFileSync(join(root, path), "utf8")));
      }
    }
  };
  walk("");
  return sources.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

export function textAt(sources: readonly Source[], path: string): string {
  const found = sources.find((source) => source.path === path);
  if (!found) throw new Error(`${path} is missing from the repository`);
  return found.text;
}

/** The line, counted from 1, on which the character at `offset` stands. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

// The style guide as a test (docs/style.md). Every failure names the file and line, the rule, and what to do.

import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

import { checkCoreWords } from "./tidy/core-words.ts";
import {
  checkCommands,
  checkDependencyTable,
  checkLinks,
  checkQuotedPaths,
  checkTitles,
} from "./tidy/documents.ts";
import { checkLayers } from "./tidy/layers.ts";
import { checkLengths, checkNames } from "./tidy/lengths.ts";
import { checkDeadFiles, checkDefaultExports, checkPackages } from "./tidy/modules.ts";
import { describeFinding, readRepository, type Rule } from "./tidy/source.ts";
import { checkLock, checkMachinePaths, checkNotes, checkSkippedTests } from "./tidy/words.ts";

const sources = readRepository(fileURLToPath(new URL("..", import.meta.url)));

const rules: ReadonlyMap<string, Rule> = new Map([
  ["layers import only what stands below them", checkLayers],
  ["the core has no clock, chance, locale or waiting", checkCoreWords],
  ["files and functions are short enough to read", checkLengths],
  ["file names are in kebab-case", checkNames],
  ["exports have names", checkDefaultExports],
  ["every file is imported or started by someone", checkDeadFiles],
  ["every imported package is declared", checkPackages],
  ["nothing is left to do in a comment", checkNotes],
  ["no path of one machine is written down", checkMachinePaths],
  ["no test is focused, left open, or skipped without a reason", checkSkippedTests],
  ["the lock names no registry", checkLock],
  ["every document has one title", checkTitles],
  ["links between documents lead somewhere", checkLinks],
  ["paths that documents name exist", checkQuotedPaths],
  ["commands that documents name exist", checkCommands],
  ["every dependency has a reason in ARCHITECTURE.md", checkDependencyTable],
]);

describe("tidy", () => {
  for (const [name, rule] of rules) {
    it(name, () => {
      expect(rule(sources).map(describeFinding).join("\n")).toBe("");
    });
  }
});

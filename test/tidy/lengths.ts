// Short enough to read: files fit in one sitting, functions on one screen, names tell what is inside.

import { functionsOf } from "./functions.ts";
import { isCode, isTest, type Finding, type Rule, type Source } from "./source.ts";

export const fileLinesMax = 500;
export const functionLinesMax = 70;

export const checkLengths: Rule = (sources) =>
  sources.filter(({ path }) => isCode(path) && !isTest(path)).flatMap(lengthFindings);

function lengthFindings(source: Source): readonly Finding[] {
  const findings: Finding[] = [];
  const { path } = source;
  const lines = source.text.trimEnd().split("\n").length;
  if (lines > fileLinesMax) {
    const what = `${lines} lines, ${lines - fileLinesMax} more than a file may have.`;
    const remedy = "cut it where the subject changes; one idea per file.";
    findings.push({ path, line: fileLinesMax + 1, rule: "file length", what, remedy });
  }
  for (const { name, from, to } of functionsOf(source.code)) {
    const length = to - from + 1;
    if (length <= functionLinesMax) continue;
    const what = `${name} has ${length} lines, ${length - functionLinesMax} too many.`;
    const remedy = "keep the decisions here and move what computes into named functions below.";
    findings.push({ path, line: from, rule: "function length", what, remedy });
  }
  return findings;
}

const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(property|test|fixture|config|d))*\.(tsx?|mjs)$/;

export const checkNames: Rule = (sources) =>
  sources
    .filter(({ path }) => isCode(path) && !kebab.test(path.slice(path.lastIndexOf("/") + 1)))
    .map(({ path }) => {
      const what = "the name is not in kebab-case.";
      return { path, line: 1, rule: "file name", what, remedy: "rename it: two-words.ts." };
    });

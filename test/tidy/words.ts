// Words that must not be merged, in code and in documents alike.

import { isTest, lineAt, type Finding, type Rule, type Source } from "./source.ts";

/** The rules' own files and their tests hold the words they look for. */
const ofTidy = (path: string): boolean => /^test\/tidy(\/|\.test\.ts$)/.test(path);

const notes = /\b(TODO|FIXME|XXX|HACK)\b/g;

export const checkNotes: Rule = (sources) =>
  textFindings(sources, notes, (word) => ({
    rule: "open note",
    what: `“${word}” says that this is not finished.`,
    remedy: "finish it, or open an issue and delete the note.",
  }));

const machinePath = /(?<![\w.:/*-])\/(work|farm|home|Users|root)\/[\w.]/g;

export const checkMachinePaths: Rule = (sources) =>
  textFindings(sources, machinePath, (path) => ({
    rule: "machine path",
    what: `“${path}…” exists on one machine only.`,
    remedy: "resolve from import.meta.url, os.tmpdir() or an option.",
  }));

function textFindings(
  sources: readonly Source[],
  pattern: RegExp,
  say: (found: string) => Pick<Finding, "rule" | "what" | "remedy">,
): readonly Finding[] {
  return sources
    .filter(({ path }) => !ofTidy(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(pattern)].map((match) => {
        return { path, line: lineAt(text, match.index), ...say(match[0]) };
      }),
    );
}

const callers = new Set(["it", "test", "describe", "suite", "bench"]);

/** `only` hides all other tests, `todo` is an open note, and a skip must say why in its name. */
export const checkSkippedTests: Rule = (sources) =>
  sources.filter(({ path }) => isTest(path)).flatMap(skipFindings);

function skipFindings({ path, code }: Source): readonly Finding[] {
  return code.flatMap((token, at) => {
    if (token.kind !== "word" || !callers.has(token.text) || code[at + 1]?.text !== ".") return [];
    const word = code[at + 2]?.text ?? "";
    const name = code[at + 4];
    const reason = code.slice(at + 4, at + 8).some((part) => part.text.includes("("));
    const quoted = name?.kind === "string" || name?.kind === "template";
    if (!["only", "todo", "skip"].includes(word) || (word === "skip" && quoted && reason))
      return [];
    const what = `${token.text}.${word} runs less than it shows.`;
    const remedy =
      word === "skip"
        ? "run it, or end its name with the reason: “… (no second disk here)”."
        : `delete “.${word}”.`;
    return [{ path, line: token.line, rule: "skipped test", what, remedy }];
  });
}

/** A lock that names a registry works only where that registry answers. */
export const checkLock: Rule = (sources) =>
  sources
    .filter(({ path }) => /(^|\/)package-lock\.json$/.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/"resolved": "[^"]*:[^"]*"/g)].map((match) => ({
        path,
        line: lineAt(text, match.index),
        rule: "lock",
        what: `${match[0]} names a registry.`,
        remedy: "npm install --package-lock-only --omit-lockfile-registry-resolved.",
      })),
    );

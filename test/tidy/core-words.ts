// The core's law: `apply` is a pure, synchronous fold. The compiler bans most of the platform
// (lib es2023, no types); this rule bans what the language itself still offers.

import { isTest, type Finding, type Rule, type Source } from "./source.ts";
import type { Token } from "./tokens.ts";

const fromBatch = "take the time from the batch (T1); whoever leads stamped it.";
const noChance = "derive it by a hash of job, task and attempt (T3).";
const noWaiting = "return an effect; the master performs it after the batch is durable (L1).";
const noLocale = "compare code units (byText in core), not letters of a language.";
const noIdentity = "key by number or id in a Map; nothing may hang on when memory is collected.";

/** Banned words, each with what to do instead. */
const banned: ReadonlyMap<string, string> = new Map([
  ["Date", fromBatch],
  ["performance", fromBatch],
  ["Intl", noLocale],
  ["localeCompare", noLocale],
  ["WeakRef", noIdentity],
  ["WeakMap", noIdentity],
  ["WeakSet", noIdentity],
  ["FinalizationRegistry", noIdentity],
  ["async", noWaiting],
  ["await", noWaiting],
  ["Promise", noWaiting],
  ["setTimeout", noWaiting],
  ["setInterval", noWaiting],
  ["setImmediate", noWaiting],
  ["queueMicrotask", noWaiting],
  ["globalThis", "pass in what it is for."],
  ["eval", "write it out."],
]);

/** Exact on every engine; sqrt, sin, exp, pow, log … may differ in the last bit. */
const exactMath = new Set(["abs", "ceil", "clz32", "floor", "imul", "max", "min", "sign", "trunc"]);

export const checkCoreWords: Rule = (sources) =>
  sources
    .filter(({ path }) => /^src\/core\/.*\.ts$/.test(path) && !isTest(path))
    .flatMap(coreFindings);

function coreFindings(source: Source): readonly Finding[] {
  const { code } = source;
  return code.flatMap((token, at) => {
    const breach = breachAt(code, at, token);
    return breach ? [{ path: source.path, line: token.line, rule: "core", ...breach }] : [];
  });
}

type Breach = Pick<Finding, "what" | "remedy"> | undefined;

function breachAt(code: readonly Token[], at: number, token: Token): Breach {
  if (token.kind !== "word") return undefined;
  const { text } = token;
  const remedy = banned.get(text) ?? (text.startsWith("toLocale") ? noLocale : undefined);
  if (remedy !== undefined && !isPlainKey(code, at)) return { what: `“${text}” in core.`, remedy };
  if (text === "Math" && code[at + 1]?.text === ".") return mathBreach(code[at + 2]?.text ?? "");
  if (text === "for" && isForIn(code, at)) {
    const instead = "iterate a Map, an array or sorted Object.keys; key order must not decide.";
    return { what: "“for … in” over an object.", remedy: instead };
  }
  return undefined;
}

function mathBreach(name: string): Breach {
  if (exactMath.has(name)) return undefined;
  if (name === "random") return { what: "“Math.random” in core.", remedy: noChance };
  const remedy = "calculate with integers; its last bit may differ between engines.";
  return { what: `“Math.${name}” in core.`, remedy };
}

/** `{ async: true }`, `x.async`: a name that happens to be the word. */
function isPlainKey(code: readonly Token[], at: number): boolean {
  const before = code[at - 1]?.text ?? "";
  if (before === ".") return !/locale/i.test(code[at]?.text ?? "");
  return code[at + 1]?.text === ":" && "{,".includes(before);
}

function isForIn(code: readonly Token[], at: number): boolean {
  if (code[at + 1]?.text !== "(") return false;
  const head = code.slice(at + 2, at + 5).map(({ text }) => text);
  return head[1] === "in" || (["const", "let", "var"].includes(head[0] ?? "") && head[2] === "in");
}

// Finds the functions of a file, with their first and last line, without parsing it.
//
// A function is what follows a closing parenthesis: `) {`, `) => {`, or either after a return type.
// What also looks like that (if, for, while, switch, catch, with) is known by the word before `(`.

import type { Token } from "./tokens.ts";

export interface FunctionSpan {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

export function functionsOf(code: readonly Token[]): readonly FunctionSpan[] {
  const pairs = pairsOf(code);
  const spans: FunctionSpan[] = [];
  for (const [at, token] of code.entries()) {
    const body = bodyAfter(code, pairs, at);
    if (body === undefined) continue;
    const start = token.text === ")" ? (pairs.get(at) ?? at) : at;
    const before = code[start - 1];
    if (token.text === ")" && before && notFunctions.has(before.text)) continue;
    const from = code[start]?.line ?? token.line;
    const to = code[pairs.get(body) ?? body]?.line ?? from;
    spans.push({ name: nameBefore(code, start, token), from, to });
  }
  return spans;
}

const notFunctions = new Set(["if", "for", "while", "switch", "catch", "with"]);

/** From each opening bracket to its closing one, and back. */
function pairsOf(code: readonly Token[]): ReadonlyMap<number, number> {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (const [at, { kind, text }] of code.entries()) {
    if (kind !== "sign") continue;
    if ("([{".includes(text)) open.push(at);
    if (!")]}".includes(text)) continue;
    const start = open.pop();
    if (start === undefined) continue;
    pairs.set(start, at).set(at, start);
  }
  return pairs;
}

/** The index of the brace that opens the body of the function whose parameters end at `at`. */
function bodyAfter(
  code: readonly Token[],
  pairs: ReadonlyMap<number, number>,
  at: number,
): number | undefined {
  const next = code[at + 1];
  if (code[at]?.kind === "word" && next?.text === "=>") return braceAfterArrow(code, at + 1);
  if (code[at]?.text !== ")") return undefined;
  if (next?.text === "{") return at + 1;
  if (next?.text === "=>") return braceAfterArrow(code, at + 1);
  return next?.text === ":" ? bodyAfterType(code, pairs, at + 2) : undefined;
}

function braceAfterArrow(code: readonly Token[], arrow: number): number | undefined {
  return code[arrow + 1]?.text === "{" ? arrow + 1 : undefined;
}

/** Walks over a return type. Gives up at the first token that no type may hold. */
function bodyAfterType(
  code: readonly Token[],
  pairs: ReadonlyMap<number, number>,
  start: number,
): number | undefined {
  let expectsType = true;
  for (let at = start; at < code.length; at++) {
    const token = code[at];
    if (!token || notInTypes.has(token.text)) return undefined;
    if (token.text === "=>" && !expectsType && code[at + 1]?.text === "{") return at + 1;
    if (token.text === "{" && !expectsType) return at;
    if ("([{".includes(token.text) && token.kind === "sign") at = pairs.get(at) ?? at;
    expectsType = goesOn.has(token.text);
  }
  return undefined;
}

const notInTypes = new Set(") ] } ; = const let return if for while case break default".split(" "));
/** After one of these a type is still to come, so that a brace opens an object type. */
const goesOn = new Set("| & < , => ? : is asserts extends keyof typeof readonly infer".split(" "));

function nameBefore(code: readonly Token[], start: number, token: Token): string {
  if (token.text !== ")") return `${token.text} => …`;
  let at = start - 1;
  if (code[at]?.text === ">") {
    while (at > 0 && code[at]?.text !== "<") at--;
    at--;
  }
  if (code[at]?.text === "async") at--;
  while (at > 0 && ["=", "(", ":", ","].includes(code[at]?.text ?? "")) at--;
  const found = code[at];
  return found && (found.kind === "word" || found.kind === "string") ? found.text : "a function";
}

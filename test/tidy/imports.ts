// What a file imports, exports from and refers to, read from its tokens.

import { posix } from "node:path";

import type { Source } from "./source.ts";
import type { Token } from "./tokens.ts";

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** `import type` or `export type`, or every name in the braces is marked as a type. */
  readonly typeOnly: boolean;
  /** The names in braces, as the other file calls them. */
  readonly names: readonly string[];
}

/** Static and dynamic imports, `export … from`, and `import("…")` in types. */
export function importsOf({ code }: Source): readonly Import[] {
  const found: Import[] = [];
  for (const [at, token] of code.entries()) {
    if (token.kind !== "word" || (token.text !== "import" && token.text !== "export")) continue;
    if (code[at - 1]?.text === ".") continue;
    const one = token.text === "import" && isCall(code, at) ? calledAt(code, at) : fromAt(code, at);
    if (one) found.push(one);
  }
  return found;
}

function isCall(code: readonly Token[], at: number): boolean {
  return code[at + 1]?.text === "(";
}

function calledAt(code: readonly Token[], at: number): Import | undefined {
  const argument = code[at + 2];
  if (argument?.kind !== "string") return undefined;
  const typeOnly = code[at - 1]?.text === "typeof";
  return { specifier: argument.text, line: argument.line, typeOnly, names: [] };
}

/** `import "x"`, `import … from "x"`, `export … from "x"`; undefined for any other export. */
function fromAt(code: readonly Token[], at: number): Import | undefined {
  const first = code[at + 1];
  if (first?.kind === "string") {
    return { specifier: first.text, line: first.line, typeOnly: false, names: [] };
  }
  const clause: Token[] = [];
  for (let next = at + 1; next < code.length; next++) {
    const token = code[next];
    if (!token) return undefined;
    const target = code[next + 1];
    if (token.text === "from" && target?.kind === "string") {
      const named = namesIn(clause);
      const typeOnly = first?.text === "type" || (named.length > 0 && named.every(isType));
      const names = named.map(({ name }) => name);
      return { specifier: target.text, line: target.line, typeOnly, names };
    }
    const fits = token.kind === "word" || (token.kind === "sign" && "{},*".includes(token.text));
    if (!fits || isStatement(token.text)) return undefined;
    clause.push(token);
  }
  return undefined;
}

interface Named {
  readonly name: string;
  readonly type: boolean;
}

const isType = ({ type }: Named): boolean => type;

function isStatement(word: string): boolean {
  return ["const", "let", "function", "class", "interface", "enum", "default"].includes(word);
}

function namesIn(clause: readonly Token[]): readonly Named[] {
  const open = clause.findIndex(({ text }) => text === "{");
  if (open < 0) return [];
  const names: Named[] = [];
  let words: string[] = [];
  for (const { text } of clause.slice(open + 1)) {
    if (text !== "," && text !== "}") words.push(text);
    else if (words.length > 0) {
      const type = words[0] === "type" && words.length > 1 && words[1] !== "as";
      names.push({ type, name: (type ? words[1] : words[0]) ?? "" });
      words = [];
    }
  }
  return names;
}

/** The path in the repository that a relative specifier means. */
export function resolveFrom(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier);
}

/** Paths that a file imports, or names as a module to start: `new URL("./x-thread.ts", …)`. */
export function referencesOf(source: Source, known: ReadonlySet<string>): readonly string[] {
  const strings = source.code.filter(({ kind }) => kind === "string" || kind === "template");
  const candidates = strings.flatMap(({ text }) =>
    /^[\w@./-]+$/.test(text) ? [resolveFrom(source.path, text), text] : [],
  );
  return candidates.filter((path) => known.has(path));
}

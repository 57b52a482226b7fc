// A light scanner of TypeScript. It knows comments, strings, templates and regular expressions well
// enough that the rules beside it never mistake the word in a sentence for the word in the code.
// It does not parse: TypeScript 7 has no compiler API, and no rule here needs more than tokens.

export type TokenKind = "word" | "string" | "template" | "number" | "regex" | "sign" | "comment";

export interface Token {
  readonly kind: TokenKind;
  /** As written; of a string or template, what stands between the quotes. */
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

/** The tokens of a file, comments included, in order. */
export function tokensOf(text: string): readonly Token[] {
  const scanner = new Scanner(text);
  while (!scanner.done) scanner.step();
  return scanner.tokens;
}

const wordStart = /[\p{ID_Start}$_#@]/u;
const wordAt = /[\p{ID_Start}$_#@][\p{ID_Continue}$\u200c\u200d]*/uy;
const numberAt = /(?:0[xXbBoO][\da-fA-F_]+|[\d_]*\.?[\d_]+(?:[eE][+-]?\d+)?)n?/y;
const regexAt = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y;
/** After one of these words a slash begins a regular expression; after any other it divides. */
const beforeRegex = new Set(
  "return typeof case in of do else instanceof new delete void throw await yield".split(" "),
);

class Scanner {
  readonly tokens: Token[] = [];
  readonly #text: string;
  #at = 0;
  #line = 1;
  /** For every open brace: whether it was opened by `${` in a template. */
  readonly #braces: boolean[] = [];
  #last: Token | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  step(): void {
    const char = this.#text[this.#at] ?? "";
    const pair = this.#text.slice(this.#at, this.#at + 2);
    if (char === "\n" || char.trim() === "") this.#skip(1);
    else if (pair === "//" || (pair === "#!" && this.#at === 0)) this.#comment("\n", 0);
    else if (pair === "/*") this.#comment("*/", 2);
    else if (char === '"' || char === "'") this.#string(char);
    else if (char === "`") this.#template();
    else if (/\d/.test(char) || (char === "." && /\.\d/.test(pair)))
      this.#match(numberAt, "number");
    else if (wordStart.test(char)) this.#match(wordAt, "word");
    else if (char === "/" && this.#regexMayStand()) this.#match(regexAt, "regex");
    else this.#sign(pair === "=>" ? pair : char);
  }

  #emit(kind: TokenKind, text: string, length: number): void {
    const token = { kind, text, line: this.#line };
    this.tokens.push(token);
    if (kind !== "comment") this.#last = token;
    this.#skip(length);
  }

  #skip(length: number): void {
    const end = this.#at + length;
    for (; this.#at < end; this.#at++) if (this.#text[this.#at] === "\n") this.#line++;
  }

  #comment(close: string, extra: number): void {
    const found = this.#text.indexOf(close, this.#at + 2);
    const end = found < 0 ? this.#text.length : found + extra;
    this.#emit("comment", this.#text.slice(this.#at, end), end - this.#at);
  }

  #string(quote: string): void {
    let end = this.#at + 1;
    while (end < this.#text.length && this.#text[end] !== quote && this.#text[end] !== "\n") {
      end += this.#text[end] === "\\" ? 2 : 1;
    }
    this.#emit("string", this.#text.slice(this.#at + 1, end), end + 1 - this.#at);
  }

  /** Reads from a backtick, or from the brace that closes `${…}`, to the next of either kind. */
  #template(): void {
    let end = this.#at + 1;
    while (end < this.#text.length && this.#text[end] !== "`") {
      if (this.#text.startsWith("${", end)) break;
      end += this.#text[end] === "\\" ? 2 : 1;
    }
    const opens = this.#text[end] === "$";
    const chunk = this.#text.slice(this.#at + 1, end);
    this.#emit("template", chunk, end + (opens ? 2 : 1) - this.#at);
    if (opens) this.#braces.push(true);
  }

  #match(pattern: RegExp, kind: TokenKind): void {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    if (found === "") this.#sign(this.#text[this.#at] ?? "");
    else this.#emit(kind, found, found.length);
  }

  #sign(text: string): void {
    if (text === "{") this.#braces.push(false);
    if (text === "}" && this.#braces.pop() === true) this.#template();
    else this.#emit("sign", text, text.length);
  }

  #regexMayStand(): boolean {
    const last = this.#last;
    if (!last) return true;
    if (last.kind === "word") return beforeRegex.has(last.text);
    return last.kind === "sign" && ![")", "]", "}"].includes(last.text);
  }
}

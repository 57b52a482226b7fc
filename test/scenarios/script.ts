// Scripts: blocks of commands with the output that they must give, one after the other in a text file.
//
//     # A comment.
//     worker w1 cpu=2
//     submit a tasks=4 needs cpu=1
//     ----
//     what this gave, up to the next empty line
//
// A word without "=" is an argument; `needs`, `labels` and `prefers` begin a section of name=value pairs.

export interface Block {
  /** Comments and empty lines before it, verbatim. */
  readonly before: readonly string[];
  readonly commands: readonly string[];
  readonly output: readonly string[];
}

export interface Script {
  readonly blocks: readonly Block[];
  /** What follows the last block. */
  readonly after: readonly string[];
}

const divider = "----";

export function parseScript(text: string): Script {
  const blocks: Block[] = [];
  let before: string[] = [];
  let commands: string[] = [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (line === divider) {
      const output: string[] = [];
      while (i + 1 < lines.length && lines[i + 1] !== "") output.push(lines[++i] ?? "");
      blocks.push({ before, commands, output });
      before = [];
      commands = [];
    } else if (line === "" || line.startsWith("#")) before.push(line);
    else commands.push(line);
  }
  if (commands.length > 0) blocks.push({ before, commands, output: [] });
  return { blocks, after: commands.length > 0 ? [] : before };
}

export function renderScript({ blocks, after }: Script): string {
  const lines = blocks.flatMap(({ before, commands, output }) => [
    ...before,
    ...commands,
    divider,
    ...output,
  ]);
  return [...lines, ...after, ""].join("\n");
}

export interface Command {
  readonly verb: string;
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

const sectionNames = new Set(["needs", "labels", "prefers"]);

export function parseCommand(line: string): Command {
  const [verb = "", ...tokens] = line.trim().split(/\s+/);
  const words: string[] = [];
  const options = new Map<string, string>();
  const sections = new Map<string, Map<string, string>>();
  let into = options;
  for (const token of tokens) {
    const at = token.indexOf("=");
    if (at > 0) into.set(token.slice(0, at), token.slice(at + 1));
    else if (sectionNames.has(token)) {
      into = new Map();
      sections.set(token, into);
    } else words.push(token);
  }
  return { verb, words, options, sections };
}

/** "250ms", "5s", "2m", "24h", "30d" in milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new Error(`"${text}" is no duration`);
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[
    match[2] as "ms" | "s" | "m" | "h" | "d" // the pattern allows no other
  ];
  return Number(match[1]) * unit;
}

/** Tasks as a script names them: "a", "a/3", "a/3..7", each perhaps with an attempt: "a/3@2". */
export interface TaskWords {
  readonly job: string;
  readonly first: number | null;
  readonly last: number | null;
  readonly attempt: number | null;
}

export function parseTasks(text: string): TaskWords {
  const match = /^([\w-]+)(?:\/(\d+)(?:\.\.(\d+))?)?(?:@(\d+))?$/.exec(text);
  if (!match?.[1]) throw new Error(`"${text}" names no tasks`);
  const number = (part: string | undefined) => (part === undefined ? null : Number(part));
  const first = number(match[2]);
  return { job: match[1], first, last: number(match[3]) ?? first, attempt: number(match[4]) };
}

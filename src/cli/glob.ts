// Path patterns as shells know them: * ? [abc] {a,b} and **. Node 20 has none of its own.

import { lstat, readdir, stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";

export function isPattern(text: string): boolean {
  return /[*?[{]/.test(text);
}

/** Absolute paths of the files that fit, sorted. Names that begin with a dot must be asked for. */
export async function glob(pattern: string, cwd: string): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const plain of expandBraces(pattern)) {
    const absolute = resolve(cwd, plain);
    const root = absolute.slice(0, absolute.indexOf(sep) + 1);
    const segments = absolute.slice(root.length).split(sep);
    await walk(root, segments, found);
  }
  return [...found].toSorted();
}

async function walk(
  folder: string,
  segments: readonly string[],
  found: Set<string>,
): Promise<void> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return;
  const last = rest.length === 0;
  if (segment === "**") {
    await walk(folder, last ? ["*"] : rest, found);
    for (const name of await namesIn(folder)) {
      // Links are not followed here: they may lead round in circles.
      const path = join(folder, name);
      if (!name.startsWith(".") && (await isFolder(path, lstat))) await walk(path, segments, found);
    }
    return;
  }
  for (const name of await matching(folder, segment)) {
    const path = join(folder, name);
    const isDirectory = await isFolder(path, stat);
    if (!last && isDirectory) await walk(path, rest, found);
    if (last && isDirectory === false) found.add(path);
  }
}

async function matching(folder: string, segment: string): Promise<readonly string[]> {
  if (!isPattern(segment)) return [segment];
  const expression = toExpression(segment);
  const names = await namesIn(folder);
  return names.filter(
    (name) => expression.test(name) && (segment.startsWith(".") || !name.startsWith(".")),
  );
}

/** A folder that cannot be read holds nothing that fits. */
async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

/** Undefined when there is nothing of that name. */
async function isFolder(path: string, look: typeof stat): Promise<boolean | undefined> {
  return look(path).then(
    (stats) => stats.isDirectory(),
    () => undefined,
  );
}

function toExpression(segment: string): RegExp {
  const source = segment.replace(
    /\[([!^]?)([^\]]+)\]|\*+|\?|[.+^${}()|\]\\[]/g,
    (text, not: string | undefined, set: string | undefined) => {
      if (set !== undefined) return `[${not ? "^" : ""}${set.replace(/[\\\]]/g, "\\$&")}]`;
      if (text.startsWith("*")) return ".*";
      return text === "?" ? "." : `\\${text}`;
    },
  );
  return new RegExp(`^${source}$`, "s");
}

/** "a{b,c}d" is "abd" and "acd"; inner braces first. */
function expandBraces(pattern: string): readonly string[] {
  const inner = /\{([^{}]*,[^{}]*)\}/.exec(pattern);
  if (!inner) return [pattern];
  const before = pattern.slice(0, inner.index);
  const after = pattern.slice(inner.index + inner[0].length);
  const choices = (inner[1] ?? "").split(",");
  return choices.flatMap((choice) => expandBraces(before + choice + after));
}

// Documents that stay true: one title, links that lead somewhere, commands and paths that exist.

import { manifestOf } from "./modules.ts";
import { lineAt, textAt, type Finding, type Rule, type Source } from "./source.ts";
import { posix } from "node:path";

const documentsOf = (sources: readonly Source[]): readonly Source[] =>
  sources.filter(({ path }) => path.endsWith(".md"));

/** The text with code blocks blanked, line by line, so that line numbers stay. */
export function proseOf(text: string): string {
  return text.replaceAll(/^( *)(```|~~~)[^]*?^\1\2 *$/gm, (block) =>
    block.replaceAll(/[^\n]/g, " "),
  );
}

export const checkTitles: Rule = (sources) =>
  documentsOf(sources).flatMap(({ path, text }) => {
    const titles = [...proseOf(text).matchAll(/^# .+/gm)];
    if (titles.length === 1) return [];
    const line = lineAt(text, titles[1]?.index ?? 0);
    const what = `${titles.length} lines begin with “# ”.`;
    const remedy = "give the document exactly one title; sections begin with “##”.";
    return [{ path, line, rule: "title", what, remedy }];
  });

const link = /\[[^\]]*\]\(([^)\s]+)[^)]*\)/g;

export const checkLinks: Rule = (sources) => {
  const known = pathsAndFolders(sources);
  return documentsOf(sources).flatMap((document) =>
    [...proseOf(document.text).matchAll(link)].flatMap((match) => {
      const target = match[1] ?? "";
      if (/^[a-z]+:/.test(target)) return [];
      const what = deadLink(sources, known, { from: document.path, target });
      if (what === undefined) return [];
      const line = lineAt(document.text, match.index);
      return [{ path: document.path, line, rule: "link", what, remedy: "mend or delete it." }];
    }),
  );
};

function deadLink(
  sources: readonly Source[],
  known: ReadonlySet<string>,
  { from, target }: { readonly from: string; readonly target: string },
): string | undefined {
  const [file = "", anchor] = target.split("#");
  const path = file === "" ? from : posix.join(posix.dirname(from), file).replace(/\/$/, "");
  if (!known.has(path)) return `${target} leads to ${path}, which does not exist.`;
  if (anchor === undefined || !path.endsWith(".md")) return undefined;
  const anchors = [...proseOf(textAt(sources, path)).matchAll(/^#+ (.+)$/gm)].map(anchorOf);
  return anchors.includes(anchor) ? undefined : `${path} has no heading “${anchor}”.`;
}

/** As GitHub makes them: lower case, no signs, hyphens for spaces. */
function anchorOf(match: RegExpMatchArray): string {
  return (match[1] ?? "")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

function pathsAndFolders(sources: readonly Source[]): ReadonlySet<string> {
  const known = new Set(["LICENSE", "."]);
  for (const { path } of sources) {
    const parts = path.split("/");
    for (let end = 1; end <= parts.length; end++) known.add(parts.slice(0, end).join("/"));
  }
  return known;
}

const quotedPath = /`((?:src|test|bench|examples|docs|scripts|\.ci)\/[\w./-]*)`/g;

/** A path in backticks is a promise that the file is there. */
export const checkQuotedPaths: Rule = (sources) => {
  const known = pathsAndFolders(sources);
  return documentsOf(sources).flatMap(({ path, text }) =>
    [...text.matchAll(quotedPath)].flatMap((match) => {
      const named = (match[1] ?? "").replace(/\/$/, "");
      if (known.has(named)) return [];
      const what = `\`${named}\` does not exist.`;
      const remedy = "name the file that answers now, or delete the line.";
      return [{ path, line: lineAt(text, match.index), rule: "path", what, remedy }];
    }),
  );
};

/** npm's own verbs need no script. */
const npmVerbs = new Set(["ci", "install", "i"]);

export const checkCommands: Rule = (sources) => {
  const { scripts = {} } = manifestOf(sources);
  return documentsOf(sources)
    .filter(({ path }) => !path.startsWith("bench/peers/"))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\bnpm (run )?([a-z][\w:-]*)/g)].flatMap((match): readonly Finding[] => {
        const name = match[2] ?? "";
        const exists = name in scripts || (match[1] === undefined && npmVerbs.has(name));
        const inCode = isQuoted(text, match.index);
        if (exists || !inCode) return [];
        const what = `“${match[0]}” is not a script of package.json.`;
        const remedy = "add the script or correct the document.";
        return [{ path, line: lineAt(text, match.index), rule: "command", what, remedy }];
      }),
    );
};

/** Whether the place is inside backticks or in a code block; prose may say “npm works”. */
function isQuoted(text: string, offset: number): boolean {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const ticks = text.slice(start, offset).split("`").length - 1;
  return ticks % 2 === 1 || proseOf(text)[offset] === " " || text.startsWith("    ", start);
}

export const checkDependencyTable: Rule = (sources) => {
  const { dependencies = {}, devDependencies = {} } = manifestOf(sources);
  const path = "ARCHITECTURE.md";
  const table = textAt(sources, path);
  const rows = new Set([...table.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]));
  const names = [...Object.keys(dependencies), ...Object.keys(devDependencies)];
  const missing = names.filter((name) => !rows.has(name));
  const what = (name: string): string => `package.json depends on ${name}; the table does not.`;
  const remedy = "add a row: the package and why it, or remove the dependency.";
  return missing.map((name) => ({ path, line: 1, rule: "dependency", what: what(name), remedy }));
};

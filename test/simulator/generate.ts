// Mutants that nobody thought of: small changes of single lines, made by rule. What the simulator does not notice of
// them is listed: a line that may be wrong, or one that is not needed.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Mutant } from "./mutants.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Rule {
  readonly name: string;
  readonly find: RegExp;
  readonly replace: string;
}

/** Each is tried at its first place in a line. */
const rules: readonly Rule[] = [
  { name: "guard dropped", find: /^(\s*)if \(.*\) (return\b.*|continue;|break;)$/, replace: "$1" },
  { name: "condition turned", find: /\bif \((.*)\) (\S)/, replace: "if (!($1)) $2" },
  { name: "< becomes <=", find: / < /, replace: " <= " },
  { name: "<= becomes <", find: / <= /, replace: " < " },
  { name: "> becomes >=", find: / > /, replace: " >= " },
  { name: ">= becomes >", find: / >= /, replace: " > " },
  { name: "&& becomes ||", find: / && /, replace: " || " },
  { name: "|| becomes &&", find: / \|\| /, replace: " && " },
  { name: "+ 1 dropped", find: / \+ 1\b/, replace: "" },
  { name: "call dropped", find: /^(\s*)this\.#[\w.#]+\([^)]*\);$/, replace: "$1" },
  { name: "true becomes false", find: /= true;$/, replace: "= false;" },
  { name: "false becomes true", find: /= false;$/, replace: "= true;" },
  { name: "null stays", find: /^(\s*)this\.#\w+ = null;$/, replace: "$1" },
];

/** All mutants of a file, in the order of its lines. */
export function generateMutants(file: string): Mutant[] {
  const text = readFileSync(root + file, "utf8");
  const lines = text.split("\n");
  const made: Mutant[] = [];
  for (const [i, line] of lines.entries()) {
    if (/^\s*(\/\/|\*|\/\*|import |export (interface|type))/.test(line)) continue;
    for (const { name, find, replace } of rules) {
      const changed = line.replace(find, replace);
      if (changed === line) continue;
      const patch = unique(text, lines, i, changed);
      if (patch) made.push({ name: `${file}:${i + 1}  ${name}`, patches: [{ file, ...patch }] });
    }
  }
  return made;
}

/** With as many lines around it as it takes to name this place alone. */
function unique(text: string, lines: readonly string[], at: number, changed: string) {
  for (let around = 0; around < 6; around++) {
    const before = lines.slice(Math.max(0, at - around), at);
    const after = lines.slice(at + 1, at + 1 + around);
    const find = [...before, lines[at], ...after].join("\n");
    if (text.split(find).length !== 2) continue;
    return { find, replace: [...before, changed, ...after].join("\n") };
  }
  return undefined;
}

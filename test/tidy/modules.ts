// How modules hang together: named exports, declared packages, nothing that nobody imports.

import { importsOf, referencesOf } from "./imports.ts";
import { isCode, servesTests, textAt, type Finding, type Rule, type Source } from "./source.ts";

export const checkDefaultExports: Rule = (sources) =>
  sources
    .filter(({ path }) => isCode(path) && !path.endsWith(".config.ts") && !path.endsWith(".d.ts"))
    .flatMap(({ path, code }) =>
      code
        .filter(({ text }, at) => text === "default" && code[at - 1]?.text === "export")
        .map(({ line }) => {
          const what = "a default export.";
          const remedy = "export it by name, so that one word finds every use.";
          return { path, line, rule: "default export", what, remedy };
        }),
    );

interface Manifest {
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export function manifestOf(sources: readonly Source[], path = "package.json"): Manifest {
  return JSON.parse(textAt(sources, path)) as Manifest;
}

/** What someone starts by hand; everything else is reached from there. */
function entryPoints(sources: readonly Source[]): readonly string[] {
  const { bin = {}, exports = {}, scripts = {} } = manifestOf(sources);
  const targets = Object.values(exports).map((one) =>
    typeof one === "string" ? one : (one["default"] ?? ""),
  );
  const published = [...Object.values(bin), ...targets].map((target) =>
    target.replace(/^\.\/dist\//, "src/").replace(/\.js$/, ".ts"),
  );
  const started = Object.values(scripts).flatMap((script) => script.split(/\s+/));
  return [...published, ...started];
}

/** Programs that are started by hand, as their first lines say; and what is loaded by other means. */
const byHand = [
  /^examples\/[\w-]+\.ts$/,
  /^bench\/[\w-]+\.ts$/,
  /^bench\/[\w-]+\/main\.ts$/,
  /^test\/golden\/make\.ts$/,
  /\.config\.ts$/,
  // The page names it.
  /^dashboard\/src\/main\.tsx$/,
  /\.d\.ts$/,
  // The bundler puts it in the package root's place (bundle.ts B2).
  /^src\/sdk\/in-task\.ts$/,
];

export const checkDeadFiles: Rule = (sources) => {
  const code = sources.filter(({ path }) => isCode(path));
  const entries = new Set(entryPoints(sources));
  const starts = code.filter(
    ({ path }) => entries.has(path) || byHand.some((pattern) => pattern.test(path)),
  );
  const live = reachable(code, starts);
  const tests = code.filter(({ path }) => path.endsWith(".test.ts"));
  const tested = reachable(code, [...starts, ...tests]);
  return code.flatMap(({ path }) => {
    if (live.has(path) || (tested.has(path) && mayServeTestsOnly(path))) return [];
    const only = tested.has(path);
    const what = only ? "only tests import this file." : "nobody imports this file.";
    const remedy = only
      ? "use it, delete it with its tests, or call it x.fixture.ts if it serves tests."
      : "import it, delete it, or start it from a script in package.json.";
    return [{ path, line: 1, rule: "dead file", what, remedy }];
  });
};

/** Fixtures say what they are by name. Conformance suites and references are for whoever writes an engine. */
function mayServeTestsOnly(path: string): boolean {
  return (
    servesTests(path) || /\/(conformance[\w-]*|memory-archive|memory-timeline)\.ts$/.test(path)
  );
}

function reachable(code: readonly Source[], starts: readonly Source[]): ReadonlySet<string> {
  const byPath = new Map(code.map((source) => [source.path, source]));
  const known = new Set(byPath.keys());
  const seen = new Set<string>();
  const waiting = [...starts];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (seen.has(next.path)) continue;
    seen.add(next.path);
    for (const path of referencesOf(next, known)) {
      const found = byPath.get(path);
      if (found) waiting.push(found);
    }
  }
  return seen;
}

export const checkPackages: Rule = (sources) => {
  const { dependencies = {}, devDependencies = {} } = manifestOf(sources);
  // It is built, not installed: its packages are its own.
  const page = manifestOf(sources, "dashboard/package.json").devDependencies ?? {};
  return sources
    .filter(({ path }) => isCode(path) && !path.startsWith("bench/peers/"))
    .flatMap((source) =>
      importsOf(source).flatMap(({ specifier, line, typeOnly }) => {
        const name = packageOf(specifier);
        if (name === undefined || name in dependencies) return [];
        if (source.path.startsWith("dashboard/") && name in page) return [];
        const shipped = source.path.startsWith("src/") && !servesTests(source.path);
        if (name in devDependencies && (!shipped || typeOnly)) return [];
        return [undeclared(source.path, line, name)];
      }),
    );
};

function undeclared(path: string, line: number, name: string): Finding {
  const what = `the package ${name} is not among the dependencies that users install.`;
  const remedy = "add it to dependencies, with its reason in ARCHITECTURE.md, or do without it.";
  return { path, line, rule: "packages", what, remedy };
}

/** `@scope/name/sub` → `@scope/name`; undefined for our own and Node's modules. */
function packageOf(specifier: string): string | undefined {
  if (/^(\.|node:|skein($|\/))/.test(specifier)) return undefined;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

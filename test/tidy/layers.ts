// Who may import whom (ARCHITECTURE.md, "Code map"). Type imports count: a type is a dependency too.

import { importsOf, resolveFrom, type Import } from "./imports.ts";
import { isTest, layerOf, type Finding, type Rule, type Source } from "./source.ts";

interface Layer {
  /** Layers besides its own. */
  readonly layers: readonly string[];
  /** Packages, or "any" where package.json alone decides. */
  readonly packages: readonly string[] | "any";
  /** Whether it may import Node's own modules. */
  readonly node: boolean;
}

const all = ["lib", "protocol", "core", "journal", "payloads", "master", "worker", "client", "sdk"];

export const layers: Readonly<Record<string, Layer>> = {
  lib: { layers: [], packages: "any", node: true },
  protocol: { layers: [], packages: ["zod"], node: false },
  core: { layers: ["protocol"], packages: [], node: false },
  journal: { layers: ["lib"], packages: "any", node: true },
  payloads: { layers: ["lib", "protocol"], packages: "any", node: true },
  master: {
    layers: ["lib", "protocol", "core", "journal", "payloads"],
    packages: "any",
    node: true,
  },
  worker: { layers: ["lib", "protocol", "payloads"], packages: "any", node: true },
  client: { layers: ["protocol"], packages: ["zod"], node: false },
  sdk: { layers: ["client", "protocol", "lib"], packages: "any", node: true },
  testing: { layers: all, packages: "any", node: true },
  cli: {
    layers: ["client", "sdk", "protocol", "lib", "master", "worker"],
    packages: "any",
    node: true,
  },
};

/** What everyone who builds on the wire may rest on: these import nothing but each other. */
const words = ["ids", "model", "limits"];
/** Pure code of `protocol` that the core may use besides the words. */
const coreMayUse = [...words, "outcome-block", "lines", "varint"];

export const checkLayers: Rule = (sources) =>
  sources.flatMap((source) => {
    if (/^src\/.*\.ts$/.test(source.path)) return layerFindings(source);
    return source.path.startsWith("dashboard/src/") ? pageFindings(source) : [];
  });

/** The dashboard is a user of the API: the client, and the words it shows. */
function pageFindings(source: Source): readonly Finding[] {
  return importsOf(source).flatMap(({ specifier, line }) => {
    const other = layerOf(resolveFrom(source.path, specifier));
    const isNode = specifier.startsWith("node:");
    if (!isNode && (other === undefined || other === "client" || other === "protocol")) return [];
    const what = `the dashboard may not import ${specifier}: it knows the client and protocol only.`;
    const remedy = "ask the API for it.";
    return [{ path: source.path, line, rule: "layers", what, remedy }];
  });
}

function layerFindings(source: Source): readonly Finding[] {
  const name = layerOf(source.path);
  const layer = name === undefined ? undefined : layers[name];
  if (name === undefined || !layer) {
    const what = "this file stands in no layer.";
    const remedy = "move it into a folder of src, or name the layer in test/tidy/layers.ts.";
    return [{ path: source.path, line: 1, rule: "layers", what, remedy }];
  }
  return importsOf(source).flatMap((one) => {
    const what = one.specifier.startsWith(".")
      ? relativeBreach(source.path, name, one)
      : packageBreach(source.path, name, one.specifier);
    const remedy = "see “Who may import whom” in ARCHITECTURE.md; pass it in, or move the code.";
    return what === undefined
      ? []
      : [{ path: source.path, line: one.line, rule: "layers", what, remedy }];
  });
}

function packageBreach(path: string, name: string, specifier: string): string | undefined {
  const layer = layers[name];
  if (!layer || isTest(path) || path.endsWith(".fixture.ts")) return undefined;
  if (specifier.startsWith("node:")) {
    return layer.node ? undefined : `${name} runs anywhere and may not import ${specifier}.`;
  }
  if (layer.packages === "any") return undefined;
  const wordsOnly = name === "protocol" && words.includes(moduleOf(path));
  const allowed = layer.packages.includes(specifier.split("/")[0] ?? "") && !wordsOnly;
  return allowed ? undefined : `${name} may not import the package ${specifier}.`;
}

function relativeBreach(path: string, name: string, one: Import): string | undefined {
  const target = resolveFrom(path, one.specifier);
  const other = layerOf(target);
  if (isTest(path) && !target.startsWith("src/")) return undefined;
  if (other === undefined) return `${name} may not import ${target}, which is outside src.`;
  if (name === "protocol" && words.includes(moduleOf(path)) && !isTest(path)) {
    if (other === name && words.includes(moduleOf(target))) return undefined;
    return `${moduleOf(path)} may import nothing but ${words.join(", ")}, not ${target}.`;
  }
  if (other === name) return undefined;
  if (!layers[name]?.layers.includes(other)) return `${name} may not import ${other} (${target}).`;
  return name === "core" ? coreBreach(target, one) : undefined;
}

function coreBreach(target: string, one: Import): string | undefined {
  const module = moduleOf(target);
  if (coreMayUse.includes(module)) return undefined;
  const codeOnly =
    one.typeOnly && one.names.length > 0 && one.names.every((n) => n === "ErrorCode");
  if (module === "errors" && codeOnly) return undefined;
  return `core may import of protocol only ${coreMayUse.join(", ")} and the type ErrorCode.`;
}

/** `src/protocol/ids.ts` → `ids`. */
function moduleOf(path: string): string {
  return path.replace(/^src\/[^/]+\//, "").replace(/\.ts$/, "");
}

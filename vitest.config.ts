import { defineConfig } from "vitest/config";

const processes = [
  "test/{processes,faults}/**/*.test.ts",
  "test/chaos/rounds.test.ts",
  // Beside the code, and yet they start whole clusters.
  "src/cli/up.test.ts",
];
const browser = ["test/browser/**/*.test.ts"];
const cluster = ["test/{simulator,scenarios,golden}/**/*.test.ts"];

// Four projects, one after the other, so that none disturbs the clocks of the next:
//   unit       what stands beside the code, conformance of the engines, tidy, examples: all the rest
//   cluster    the simulator's seeds, scenarios, golden journals: deterministic, busy on one core each
//   processes  real masters and workers, killed and cut off: one file at a time, the machine to itself
//   browser    the dashboard of such a cluster in Chromium
export default defineConfig({
  plugins: mutantPlugins(),
  test: {
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{src,examples,bench,test}/**/*.test.ts"],
          exclude: [...processes, ...cluster, ...browser, "**/node_modules/**"],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "cluster",
          include: cluster,
          maxWorkers: 2,
          testTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "processes",
          include: processes,
          globalSetup: ["test/processes/no-process-left.ts"],
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: browser,
          globalSetup: ["test/processes/no-process-left.ts"],
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 240_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});

/** A hunt for generated mutants changes a source as it is loaded: see test/simulator/mutant-units.ts. */
function mutantPlugins() {
  const text = process.env["SKEIN_MUTANT"];
  if (text === undefined) return [];
  const { file, find, replace } = JSON.parse(text) as Record<"file" | "find" | "replace", string>;
  return [
    {
      name: "mutant",
      enforce: "pre" as const,
      transform(code: string, id: string) {
        return id.endsWith(`/${file}`) ? code.replace(find, () => replace) : undefined;
      },
    },
  ];
}

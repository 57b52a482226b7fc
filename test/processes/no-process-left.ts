/** Around all tests of processes: whatever they start carries a mark, and nothing that does may outlive them. */
import { randomUUID } from "node:crypto";
import { describeProcess, processesIn, until } from "./process-cluster.ts";

const mark = `test-run-${randomUUID()}`;

export function setup(): void {
  process.env["TEST_RUN"] = mark;
}

export async function teardown(): Promise<void> {
  await until(() => left().length === 0, 10_000).catch(() => {
    // Vitest prints what a teardown throws, and takes the run for a success all the same.
    process.exitCode = 1;
    throw new Error(`processes outlived their tests:\n${left().join("\n")}`);
  });
}

/** Vitest's own workers, and the bundler in them, are about to end. */
function left(): string[] {
  const own = /vitest|esbuild/;
  return processesIn(mark)
    .map(describeProcess)
    .filter((text) => !own.test(text));
}

/**
 * A cluster inside one process, on the memory journal: for tests of programs that use Skein.
 *
 * @example
 * import { startTestCluster } from "skein/testing";
 *
 * await using cluster = await startTestCluster();
 * const results = await (await cluster.skein.map(square, [1, 2, 3])).results();
 */
export { startTestCluster } from "./cluster.ts";
export type { TestCluster, TestClusterOptions } from "./cluster.ts";

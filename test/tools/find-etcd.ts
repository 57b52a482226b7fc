// The etcd for tests: see find-tool.ts for where it comes from.

import { findTool, howToGet } from "./find-tool.ts";

const etcd = { name: "etcd", debian: "etcd-server" };

/** To be printed by whoever skips: what to do to have these tests run. */
export const howToGetEtcd = howToGet(etcd);

export function findEtcd(): string | undefined {
  return findTool(etcd);
}

import { expect, test } from "vitest";
import { Cluster } from "../cluster.fixture.ts";
import { endReasons } from "../../protocol/model.ts";

test("a failure at the head of a long chain of jobs ends them all, without one deep recursion", () => {
  const cluster = new Cluster();
  const worker = cluster.worker("w1");
  const head = cluster.submit();
  let last = head;
  for (let i = 0; i < 4_000; i++) {
    last = cluster.submit({ spec: { after: [{ job: last.id, mode: "each" }] } });
  }
  cluster.report(worker, head, [{ task: 0, code: endReasons.error.code }]);
  for (let i = 0; i < 200 && last.ended === ""; i++) cluster.wait(1);
  expect(last.ended).toBe("cancelled");
});

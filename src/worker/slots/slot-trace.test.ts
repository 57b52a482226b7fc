import { expect, test } from "vitest";
import { Trial } from "./slot-trial.fixture.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("a function is given the context of its submit", async () => {
  await using trial = new Trial({
    module: `export const t = task("t", (_, ctx) => ctx.traceparent);`,
    job: { traceparent },
  });
  expect((await trial.one()).value).toBe(traceparent);
});

test("a command finds the context of its submit in TRACEPARENT, unless its job says another", async () => {
  const argv = ["sh", "-c", "echo $TRACEPARENT"];
  const run = async (env: Record<string, string>) => {
    await using trial = new Trial({ command: { argv, env, stdin: "none" }, job: { traceparent } });
    return (await trial.one()).value.stdout;
  };
  expect(await run({})).toBe(`${traceparent}\n`);
  expect(await run({ TRACEPARENT: "mine" })).toBe("mine\n");
});

test("without a context in the submit there is none", async () => {
  await using trial = new Trial({
    module: `export const t = task("t", (_, ctx) => String(ctx.traceparent));`,
  });
  expect((await trial.one()).value).toBe("undefined");
});

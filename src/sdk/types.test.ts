// Expectations that the compiler checks (tsc -p tsconfig.test.json); at run time there is little to see.

import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { defineCommand, defineTask, isTask } from "./index.ts";
import type {
  CommandResult,
  JobHandle,
  OutputsRef,
  Skein,
  Task,
  TaskContext,
  TaskHandle,
} from "./index.ts";

const square = defineTask({ name: "square", run: async (n: number) => n * n });
const shade = defineTask({
  name: "shade",
  input: z.object({ frame: z.number(), samples: z.number().default(4) }),
  setup: async () => ({ scene: "bunny" }),
  run: ({ frame, samples }, ctx) => {
    expectTypeOf(samples).toEqualTypeOf<number>();
    expectTypeOf(ctx).toEqualTypeOf<TaskContext<{ scene: string }>>();
    return { frame, name: ctx.setup.scene };
  },
});
const encode = defineTask({
  name: "encode",
  run: (input: { frames: { frame: number }[]; fps?: number }) => `${input.frames.length} frames`,
});

// Never called: only its types are looked at.
async function uses(skein: Skein) {
  const squares = await skein.map(square, [1, 2, 3]);
  expectTypeOf(squares).toEqualTypeOf<JobHandle<number>>();
  expectTypeOf(await squares.results()).toEqualTypeOf<number[]>();
  expectTypeOf(squares.outputs).toEqualTypeOf<OutputsRef<number>>();
  expectTypeOf(await skein.submit(square, 2)).toEqualTypeOf<TaskHandle<number>>();
  expectTypeOf(await skein.run(square, 2)).toEqualTypeOf<number>();

  // A schema's defaults make a field optional for the sender.
  const shaded = await skein.map(shade, [{ frame: 1 }]);
  expectTypeOf(await shaded.results()).toEqualTypeOf<{ frame: number; name: string }[]>();

  // Outputs stand for what they will be.
  await skein.submit(encode, { frames: shaded.outputs, fps: 25 });
  await skein.submit(square, (await skein.submit(square, 2)).output);
  await skein.map(square, squares.outputs);
  await skein.submit(encode, { frames: [(await skein.submit(shade, { frame: 1 })).output] });

  for await (const outcome of shaded.outcomes()) {
    if (outcome.state === "succeeded") expectTypeOf(outcome.value.frame).toEqualTypeOf<number>();
    else expectTypeOf(outcome.error.message).toEqualTypeOf<string>();
  }

  // @ts-expect-error a string is no number
  await skein.map(square, ["a"]);
  // @ts-expect-error the frame is missing
  await skein.submit(shade, {});
  // @ts-expect-error outputs of another type
  await skein.submit(encode, { frames: squares.outputs });
  // @ts-expect-error a task of other inputs
  await skein.map(shade, squares.outputs);

  const ls = defineCommand<string>({ name: "ls", argv: ["ls", "{}"] });
  expectTypeOf(await skein.run(ls, "/tmp")).toEqualTypeOf<CommandResult>();
  // @ts-expect-error the command takes a string
  await skein.run(ls, 1);
}

describe("types", () => {
  it("follow a definition from its schema to its results", () => {
    expect(uses).toBeTypeOf("function");
    expectTypeOf(square).toEqualTypeOf<Task<number, number>>();
  });
});

describe("a definition", () => {
  it("is marked, so that a slot finds it, and keeps what it was given", () => {
    expect(Reflect.get(shade, Symbol.for("skein.task"))).toBe(true);
    expect(shade).toMatchObject({ kind: "function", name: "shade" });
    expect(shade.setup).toBeTypeOf("function");
    expect([square, {}, null, "x"].map(isTask)).toEqual([true, false, false, false]);
  });

  it("needs a name that can be one", () => {
    const define = (name: string) => () => defineTask({ name, run: () => 1 });
    expect(define("a/b")).toThrow('"a/b" is no name for a task');
    expect(define("")).toThrow("is no name for a task");
    expect(define("film:shade.v2")).not.toThrow();
  });
});

import { defineTask } from "skein";

export const square = defineTask({ name: "square", run: (n: number) => n * n });

/** Long enough to be caught in the middle. */
export const slow = defineTask({
  name: "slow",
  run: async (n: number) => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return `${n}${"r".repeat(3_000)}`;
  },
});

/** Never ends by itself. */
export const endless = defineTask({ name: "endless", run: () => new Promise(() => {}) });

export const cyclic = defineTask({
  name: "cyclic",
  run: () => {
    const self: { self?: unknown } = {};
    self.self = self;
    return self;
  },
});

export const long = defineTask({ name: "long", run: (length: number) => "x".repeat(length) });

export const echo = defineTask({ name: "echo", run: (value: unknown) => value });

/** What the benchmark runs: nothing. */
import { defineTask } from "skein";

export const noop = defineTask({ name: "noop", run: (n: number) => n });

// The smallest task: `npx skein map ./examples/square.ts --input 1..1000`
import { defineTask } from "skein";

export const square = defineTask({
  name: "square",
  run: async (n: number) => n * n,
});

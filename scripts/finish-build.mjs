// The last step of a build: the compiled CLI becomes executable.
import { chmod } from "node:fs/promises";

await chmod(new URL("../dist/cli/main.js", import.meta.url), 0o755).catch((error) => {
  if (error.code !== "ENOENT") throw error;
});

// Stories of a cluster as scripts: every `.txt` here is run, and its output must be what stands in it. After a
// change that is meant, look at the difference that this makes:  UPDATE_GOLDEN=1 npx vitest run test/scenarios

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runScript } from "./run-script.ts";
import { renderScript } from "./script.ts";

const folder = new URL(".", import.meta.url);
const update = process.env["UPDATE_GOLDEN"] === "1";

describe("scenarios", () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".txt"))) {
    it(file.replace(/\.txt$/, "").replaceAll("-", " "), () => {
      const path = fileURLToPath(new URL(file, folder));
      const text = readFileSync(path, "utf8");
      const { script } = runScript(text);
      const now = renderScript(script);
      if (update) writeFileSync(path, now);
      else expect(now).toBe(text);
    });
  }
});

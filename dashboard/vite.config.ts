// Builds the page into dist/dashboard, with a gzip beside each file. One script: a page whose master has died must not
// have to load a part of itself from it.

import react from "@vitejs/plugin-react";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { defineConfig } from "vite";
import type { Plugin } from "vite";

const outDir = fileURLToPath(new URL("../dist/dashboard", import.meta.url));

function packed(): Plugin {
  return {
    name: "packed",
    writeBundle() {
      for (const folder of [outDir, join(outDir, "assets")]) {
        for (const name of readdirSync(folder)) {
          if (!/\.(js|css|html|svg)$/.test(name)) continue;
          writeFileSync(join(folder, `${name}.gz`), gzipSync(readFileSync(join(folder, name))));
        }
      }
    },
  };
}

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  plugins: [react(), packed()],
  build: {
    outDir,
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  logLevel: "warn",
});

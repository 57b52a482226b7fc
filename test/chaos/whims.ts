/** Slow disks and wrong clocks of single processes (whims.c), where there is a C compiler. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("./whims.c", import.meta.url));
const cache = fileURLToPath(new URL("../../.cache/whims", import.meta.url));

/** The compiled library, or undefined where no `cc` makes one: said aloud, once. */
function compile(): string | undefined {
  const name = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 16);
  const target = join(cache, `${name}.so`);
  if (existsSync(target)) return target;
  mkdirSync(cache, { recursive: true });
  const made = `${target}.${process.pid}`;
  try {
    execFileSync("cc", ["-O2", "-shared", "-fPIC", "-o", made, source, "-ldl"], { stdio: "pipe" });
    execFileSync(process.execPath, ["-e", ""], { env: { LD_PRELOAD: made }, cwd: tmpdir() });
    renameSync(made, target);
    return target;
  } catch (error) {
    console.warn(`no slow disks and no wrong clocks here: cc made no library (${String(error)})`);
    return undefined;
  }
}

let library: string | undefined;
let tried = false;

export function whimsLibrary(): string | undefined {
  if (!tried) library = compile();
  tried = true;
  return library;
}

/** What a process needs in its environment to be open to whims; nothing where there are none. */
export function whimsEnv(folder: string): Readonly<Record<string, string>> {
  const preload = whimsLibrary();
  return preload === undefined ? {} : { LD_PRELOAD: preload, TEST_WHIMS: folder };
}

export interface Whims {
  readonly syncMs?: number;
  readonly wallMs?: number;
}

/** From now on, for as long as that process lives; it maps the file, so that it sees this at once. */
export function setWhims(folder: string, pid: number, { syncMs = 0, wallMs = 0 }: Whims): void {
  const file = join(folder, String(pid));
  if (!existsSync(file)) return;
  const bytes = new BigInt64Array([BigInt(syncMs), BigInt(wallMs)]);
  writeFileSync(file, new Uint8Array(bytes.buffer), { flag: "r+" });
}

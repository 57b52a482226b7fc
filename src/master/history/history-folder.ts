// Opening the folder of a history: whose it is, which segments it holds, and what a crash left in
// it.

import { mkdir, open, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../lib/log.ts";
import { StoreTrouble } from "../archive/trouble.ts";
import { isPlainName, scanRecords, sealedFromName, spanOf, syncFolder } from "./segment.ts";
import type { Segment } from "./segment.ts";

const marker = "history.json";
const version = 1;

/** Segments in their order, the plain ones cut to their last whole record. */
export async function openFolder(dir: string, journalId: string, log: Log): Promise<Segment[]> {
  await mkdir(dir, { recursive: true });
  await checkOwner(dir, journalId);
  const sealed: Segment[] = [];
  const plain: Segment[] = [];
  for (const name of await readdir(dir)) {
    if (name.endsWith(".unfinished")) await rm(join(dir, name));
    const found = await sealedFromName(dir, name);
    if (found) sealed.push(found);
    if (isPlainName(name)) plain.push(...(await openPlain(join(dir, name), log)));
  }
  // A crash between sealing a segment and removing its plain file leaves both.
  const isSealed = ({ first, last }: Segment) =>
    sealed.some((each) => each.first <= first && each.last >= last);
  for (const each of plain.filter(isSealed)) await rm(each.file);
  const all = [...sealed, ...plain.filter((each) => !isSealed(each))];
  return all.sort((a, b) => a.first - b.first);
}

/** Whole segments as they are now, in their order; one that is being written ends with its last whole record. */
export async function listSegments(dir: string): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const name of await namesIn(dir)) {
    const file = join(dir, name);
    // Sealed or pruned a moment ago: its other form is listed, or it is gone.
    const raw = isPlainName(name) ? await readFile(file).catch(() => undefined) : undefined;
    const { records, length } = scanRecords(raw ?? new Uint8Array(0));
    const span = spanOf(records);
    const sealed = await sealedFromName(dir, name).catch(() => undefined);
    if (sealed) segments.push(sealed);
    else if (span) segments.push({ file, sealed: false, bytes: length, ...span });
  }
  return segments.sort((a, b) => a.first - b.first);
}

async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

async function checkOwner(dir: string, journalId: string): Promise<void> {
  const file = join(dir, marker);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) {
    const draft = `${file}.unfinished`;
    await writeFile(draft, `${JSON.stringify({ version, journalId })}\n`, { flush: true });
    await rename(draft, file);
    return syncFolder(dir);
  }
  const found = JSON.parse(text) as { version?: unknown; journalId?: unknown };
  if (found.journalId !== journalId) {
    throw new StoreTrouble("foreign", {
      what: `The history in ${dir} is not opened`,
      why: `it is of journal ${String(found.journalId)}, not of ${journalId}`,
      todo: "Give this master its own data directory, or move the old history away",
    });
  }
  if (found.version === version) return;
  throw new StoreTrouble("version", {
    what: `The history in ${dir} is not opened`,
    why: `its layout ${String(found.version)} is not ${version}`,
    todo: "Run the version of Skein that wrote it, or a newer one",
  });
}

async function openPlain(file: string, log: Log): Promise<Segment[]> {
  const raw = await readFile(file);
  const { records, length } = scanRecords(raw);
  const span = spanOf(records);
  if (!span) {
    await rm(file);
    return [];
  }
  if (length < raw.length) {
    log.warn("history: cut off what a crash left half written", {
      file,
      after: span.last,
      bytes: raw.length - length,
    });
    await truncate(file, length);
    const handle = await open(file, "r+");
    await handle.sync();
    await handle.close();
  }
  return [{ file, sealed: false, bytes: length, ...span }];
}

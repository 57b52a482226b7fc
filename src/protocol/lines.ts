// Inputs of tasks: lines of JSON, each ended by a newline, one after the other (K2). A master splits
// them at newlines and looks no further. A line that starts with "@" is no JSON: it is a reference that
// the worker resolves before a slot sees it (see `ReferenceLine`).

const newline = 10;
const at = 64;

/** Offsets of `count` lines: count + 1 numbers, the last one past the end. Throws when they differ. */
export function splitLines(bytes: Uint8Array, count: number): Uint32Array {
  const offsets = new Uint32Array(count + 1);
  let offset = 0;
  for (let i = 0; i < count; i++) {
    const end = bytes.indexOf(newline, offset);
    if (end < 0) throw new RangeError(`${count} lines were announced, ${i} are there`);
    offset = end + 1;
    offsets[i + 1] = offset;
  }
  if (offset !== bytes.length) throw new RangeError(`more than the ${count} announced lines`);
  return offsets;
}

export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let i = bytes.indexOf(newline); i >= 0; i = bytes.indexOf(newline, i + 1)) count++;
  return count;
}

export function isReferenceLine(line: Uint8Array): boolean {
  return line[0] === at;
}

/**
 * The JSON after "@". `stored`: the input itself is a stored payload. Otherwise `value` is the input, and at
 * every place where it holds `{"$skein": n}` the worker puts what `refs[n]` names.
 */
export type ReferenceLine =
  | { readonly stored: { readonly hash: string; readonly size: number } }
  | { readonly value: unknown; readonly refs: readonly OutputRef[] };

/** Results of another job: of all its tasks in order (an array), or of one of them. */
export interface OutputRef {
  readonly job: string;
  readonly task?: number;
}

// R1 of archives: every index once, in order.

/** False when this index is there already; throws when one before it is missing, which is a bug. */
export function checkNext(added: number, index: number): boolean {
  if (index <= added) return false;
  if (index === added + 1) return true;
  throw new RangeError(
    `index ${index} was added after ${added}: those between are missing (see skipTo)`,
  );
}

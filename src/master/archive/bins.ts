// Which blocks may hold the outcome of a task? Blocks come in the order recorded, each over some
// range of tasks. Every block stands in the smallest bin that holds its whole range (bins of 2^8,
// 2^11, 2^14, 2^17, 2^20 tasks, and one of all), so a range of tasks is answered by one short scan
// a size: the scheme that genome browsers use for features on a chromosome (Kent et al. 2002, "The
// Human Genome Browser at UCSC").

const shifts = [8, 11, 14, 17, 20] as const;
/** More tasks than a job can have (limits.tasksPerJobMax < 2^24), so that bins of sizes differ. */
const perSize = 2 ** 17;

export function binOf(first: number, last: number): number {
  for (const [size, shift] of shifts.entries()) {
    if (first >>> shift === last >>> shift) return size * perSize + (first >>> shift);
  }
  return shifts.length * perSize;
}

export interface BinRange {
  readonly from: number;
  readonly to: number;
}

/** All bins in which a block with one of these tasks may stand. */
export function binsOver(first: number, last: number): readonly BinRange[] {
  const ranges = shifts.map((shift, size) => ({
    from: size * perSize + (first >>> shift),
    to: size * perSize + (last >>> shift),
  }));
  return [...ranges, { from: shifts.length * perSize, to: shifts.length * perSize }];
}

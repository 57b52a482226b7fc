/** Rows as text. */
import type { PeerRow } from "./model.ts";

export function formatPeers(rows: readonly PeerRow[]): string {
  const shown = rows.filter((row) => row.what !== "skipped");
  const cells = shown.map((row) => [
    `${row.name} ${row.version}`,
    row.variant,
    `${row.server} ${row.serverVersion}`,
    row.what === "throughput"
      ? `${count(row.median)}/s [${count(row.min)}–${count(row.max)}]`
      : `p50 ${row.p50.toFixed(2)} ms, p99 ${row.p99.toFixed(2)} ms`,
    row.what === "throughput" ? `${row.rounds} × ${count(row.n)} tasks` : `${count(row.n)} trips`,
    row.arrangement,
  ]);
  const lines = align([["peer", "variant", "server", "measured", "of", "how"], ...cells]);
  const durabilities = new Map(shown.map((row) => [`${row.name}, ${row.variant}`, row.durability]));
  for (const [who, durability] of durabilities) lines.push(`${who}: ${durability}`);
  for (const row of rows)
    if (row.what === "skipped") lines.push(`${row.name}: no column, ${row.reason}`);
  return lines.join("\n");
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function align(table: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const cells of table) {
    cells.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return table.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

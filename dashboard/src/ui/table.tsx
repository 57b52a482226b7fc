// A long list in rows of 28 pixels, of which only those in sight are drawn. While somebody reads further down, what is new
// waits behind a pill: nothing moves under a pointer or a focus.

import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import type { KeyboardEvent, ReactNode } from "react";
import { useWidth } from "./canvas.ts";
import { count } from "./format.ts";

export interface Column<Row> {
  readonly id: string;
  readonly head: string;
  /** Of CSS grid. */
  readonly width: string;
  readonly end?: boolean;
  /** Left out where the table is narrower than this many pixels. */
  readonly from?: number;
  readonly cell: (row: Row) => ReactNode;
}

export interface TableProps<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly onOpen: (row: Row) => void;
  /** Asked for when the last row comes into sight. */
  readonly more?: (() => void) | undefined;
  readonly total: number;
  /** Chosen rows by their key; without it nothing can be chosen. */
  readonly chosen?: ReadonlySet<string>;
  readonly onChoose?: (key: string) => void;
  readonly nameOf?: (row: Row) => string;
}

const rowPx = 28;
export function Table<Row>(props: TableProps<Row>) {
  const scroller = useRef<HTMLDivElement>(null);
  const { ref: frame, width } = useWidth();
  const columns = props.columns.filter(({ from = 0 }) => from <= width);
  const { rows, held, show } = useHeld(props.rows, props.keyOf, scroller);
  const template = [props.chosen ? "28px" : "", ...columns.map(({ width }) => width)].join(" ");
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const { more } = props;
  useEffect(() => {
    if (rows.length > 0 && last >= rows.length - 20) more?.();
  }, [last, rows.length, more]);
  return (
    <div className="table-frame" ref={frame}>
      {held > 0 ? (
        <button type="button" className="pill" onClick={show}>
          {count(held)} new ↑
        </button>
      ) : null}
      <div
        ref={scroller}
        className="table"
        role="table"
        aria-label={props.label}
        aria-rowcount={props.total + 1}
        tabIndex={0}
        onKeyDown={(event) => step(event, scroller.current)}
      >
        <div
          className="tr head"
          role="row"
          aria-rowindex={1}
          style={{ gridTemplateColumns: template }}
        >
          {props.chosen ? (
            <span role="columnheader">
              <span className="hidden">Chosen</span>
            </span>
          ) : null}
          {columns.map(({ id, head, end }) => (
            <span key={id} role="columnheader" className={end ? "end" : ""}>
              {head}
            </span>
          ))}
        </div>
        <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {items.map(({ index, start }) => (
            <TableRow
              key={props.keyOf(rows[index] as Row)}
              row={rows[index] as Row}
              index={index}
              top={start}
              template={template}
              columns={columns}
              table={props}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

function TableRow<Row>(props: {
  readonly row: Row;
  readonly index: number;
  readonly top: number;
  readonly template: string;
  readonly columns: readonly Column<Row>[];
  readonly table: TableProps<Row>;
}) {
  const { row, index, top, template, columns, table } = props;
  const key = table.keyOf(row);
  const isChosen = table.chosen?.has(key) ?? false;
  return (
    <div
      className={isChosen ? "tr chosen" : "tr"}
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      tabIndex={-1}
      style={{ gridTemplateColumns: template, transform: `translateY(${top}px)` }}
      onClick={(event) => {
        const target = event.target as HTMLElement;
        const isMarking = getSelection()?.type === "Range";
        if (!target.closest("a, button, input, label") && !isMarking) table.onOpen(row);
      }}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget) return;
        if (event.key === "Enter") table.onOpen(row);
        if (event.key === " " || event.key === "x") {
          event.preventDefault();
          table.onChoose?.(key);
        }
      }}
    >
      {table.chosen ? (
        <span role="cell">
          <input
            type="checkbox"
            aria-label={`Choose ${table.nameOf?.(row) ?? key}`}
            checked={isChosen}
            onChange={() => table.onChoose?.(key)}
          />
        </span>
      ) : null}
      {columns.map(({ id, end, cell }) => (
        <span key={id} role="cell" className={end ? "end" : ""}>
          {cell(row)}
        </span>
      ))}
    </div>
  );
}

/** j, k and the arrows go from row to row. */
function step(event: KeyboardEvent, scroller: HTMLElement | null): void {
  const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  const inText = (event.target as HTMLElement).matches("input:not([type=checkbox])");
  if (by === undefined || !scroller || inText || event.metaKey || event.ctrlKey) return;
  const row = (document.activeElement as HTMLElement | null)?.closest<HTMLElement>("[data-index]");
  const at = row ? Number(row.dataset["index"]) + by : 0;
  const next = scroller.querySelector<HTMLElement>(`[data-index="${at}"]`);
  if (!next) return;
  event.preventDefault();
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

/** Rows as they come; but while somebody has scrolled down, those that are new wait. */
function useHeld<Row>(
  incoming: readonly Row[],
  keyOf: (row: Row) => string,
  scroller: { readonly current: HTMLElement | null },
) {
  const [order, setOrder] = useState<readonly string[]>([]);
  const byKey = new Map(incoming.map((row) => [keyOf(row), row]));
  const known = new Set(order);
  const firstKnown = incoming.findIndex((row) => known.has(keyOf(row)));
  const fresh = firstKnown > 0 ? incoming.slice(0, firstKnown) : [];
  const element = scroller.current;
  const isReading =
    element !== null && (element.scrollTop > 0 || element.contains(document.activeElement));
  const holds = isReading && fresh.length > 0;
  const freshKeys = new Set(fresh.map(keyOf));
  const rows = holds ? incoming.filter((row) => !freshKeys.has(keyOf(row))) : incoming;
  const keys = rows.map(keyOf).join("\n");
  useEffect(() => setOrder(keys === "" ? [] : keys.split("\n")), [keys]);
  return {
    rows,
    held: holds ? fresh.length : 0,
    show: () => {
      setOrder([...byKey.keys()]);
      element?.scrollTo({ top: 0 });
    },
  };
}

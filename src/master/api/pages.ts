// Cursors of lists: opaque to clients, so that what stands in them may change.

import { SkeinError } from "../../protocol/errors.ts";

export function encodeCursor(place: string): string {
  return Buffer.from(place).toString("base64url");
}

export function decodeCursor(cursor: string, pattern: RegExp): string {
  const place = Buffer.from(cursor, "base64url").toString();
  if (pattern.test(place)) return place;
  throw new SkeinError("bad_request", "cursor: use the nextCursor of the page before, as it is");
}

export interface Page<Item> {
  readonly items: Item[];
  readonly total: number;
  readonly nextCursor: string | null;
}

/** A page of a list that is short enough to be made whole. */
export function pageOf<Item>(
  all: readonly Item[],
  query: { readonly limit: number; readonly cursor?: string | undefined },
): Page<Item> {
  const from = query.cursor === undefined ? 0 : Number(decodeCursor(query.cursor, /^\d{1,9}$/));
  const to = from + query.limit;
  const nextCursor = to < all.length ? encodeCursor(String(to)) : null;
  return { items: all.slice(from, to), total: all.length, nextCursor };
}

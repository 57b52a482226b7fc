// What a list is asked: its filter, and where it goes on. A cursor is opaque to clients, and bound to its query:
// it holds a hash of resource, filter and order, the place, and the wall clock that durations count from, so that
// "younger than 2 h" means the same on every page.

import { hash } from "node:crypto";
import { SkeinError } from "../../protocol/errors.ts";
import type { FilterResource } from "../../protocol/filter-fields.ts";
import { parseFilter } from "../../protocol/filter.ts";
import type { Term } from "../../protocol/filter.ts";

export interface ListQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly filter?: string | undefined;
  readonly sort?: string | undefined;
}

export interface ListScope {
  readonly resource: FilterResource;
  /** What the list is of, besides: a job, a worker. */
  readonly of?: string | number;
  readonly wall: number;
  /** What a place looks like. */
  readonly place: RegExp;
}

export interface Listing {
  readonly terms: readonly Term[];
  readonly limit: number;
  /** Where the page before ended. */
  readonly place: string | undefined;
  /** The cursor of a page that goes on from a place. */
  readonly next: (place: string) => string;
}

/** @throws SkeinError `bad_request`: a filter that says nothing, a cursor of something else */
export function readListing(query: ListQuery, scope: ListScope): Listing {
  const { limit, cursor, filter, sort } = query;
  const { resource, of = "", wall } = scope;
  const bond = hash("sha256", JSON.stringify([resource, of, filter ?? "", sort ?? ""])).slice(
    0,
    12,
  );
  const from = cursor === undefined ? undefined : readCursor(cursor, bond, scope);
  const at = from?.wall ?? wall;
  return {
    terms: parseFilter(resource, filter, at),
    limit,
    place: from?.place,
    next: (place) => Buffer.from(`${bond}.${at.toString(36)}.${place}`).toString("base64url"),
  };
}

function readCursor(
  cursor: string,
  bond: string,
  { place }: ListScope,
): { readonly wall: number; readonly place: string } {
  const text = Buffer.from(cursor.slice(0, 1_000), "base64url").toString();
  const [, of = "", wall = "", at = ""] =
    /^([0-9a-f]{12})\.([0-9a-z]{1,11})\.(.*)$/s.exec(text) ?? [];
  if (of === "") {
    throw new SkeinError("bad_request", "cursor: this is none that a list has given.", {
      hint: "Use the nextCursor of the page before, as it is.",
    });
  }
  if (of !== bond || !place.test(at)) {
    throw new SkeinError("bad_request", "cursor: it belongs to another query.", {
      hint: "Keep address, filter and sort as they were on the page before, or begin without a cursor.",
    });
  }
  return { wall: Number.parseInt(wall, 36), place: at };
}

export interface Page<Item> {
  readonly items: Item[];
  readonly total: number;
  readonly nextCursor: string | null;
  readonly partial?: string;
}

/** A page of a list that is short enough to be looked at whole: of all that fit, in the order of their places. */
export function pageOf<Item, View>(
  fitting: readonly Item[],
  listing: Listing,
  { isAfter, placeOf, view }: PageParts<Item, View>,
): Page<View> {
  const { place, limit, next } = listing;
  const rest = place === undefined ? fitting : fitting.filter((item) => isAfter(item, place));
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  const nextCursor = rest.length > limit && last !== undefined ? next(placeOf(last)) : null;
  return { items: items.map(view), total: fitting.length, nextCursor };
}

export interface PageParts<Item, View> {
  readonly isAfter: (item: Item, place: string) => boolean;
  readonly placeOf: (item: Item) => string;
  readonly view: (item: Item) => View;
}

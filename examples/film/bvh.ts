/**
 * How are the triangles arranged, so that a ray meets few of them? A tree of boxes in flat arrays.
 *
 * B1: node n occupies eight numbers: box low (3), box high (3), first, count.
 * B2: count > 0: a leaf with triangles [first, first + count).
 *     count = 0: an inner node whose children are nodes `first` and `first + 1`.
 * B3: triangles are stored in leaf order, so a leaf reads one stretch of memory.
 * Everything is a Float32Array (whole numbers are exact up to 2^24), which keeps `read` in
 * intersect.ts monomorphic and therefore as fast as a bare index.
 */
import type { Mesh } from "./mesh.ts";

export interface Bvh {
  readonly nodes: Float32Array;
  /** Nine numbers per triangle: one corner and the two edges that leave it. */
  readonly triangles: Float32Array;
  /** Nine numbers per triangle: the normals at its three corners. */
  readonly normals: Float32Array;
}

export const NODE_SIZE = 8;
export const TRIANGLE_SIZE = 9;
const LEAF_TRIANGLES_MAX = 4;
const BINS = 16;

interface Item {
  readonly triangle: number;
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly centre: readonly number[];
}

interface Box {
  low: number[];
  high: number[];
}

export function buildBvh(mesh: Mesh): Bvh {
  const items = itemsOf(mesh);
  const nodes: number[] = [];
  const leafOrder: Item[] = [];
  nodes.length = NODE_SIZE;
  const open = [{ node: 0, items }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const box = boxOf(next.items);
    const halves = split(next.items, box);
    const first = halves === undefined ? leafOrder.length : nodes.length / NODE_SIZE;
    const count = halves === undefined ? next.items.length : 0;
    const values = [...box.low, ...box.high, first, count];
    for (const [i, value] of values.entries()) nodes[next.node * NODE_SIZE + i] = value;
    if (halves === undefined) {
      leafOrder.push(...next.items);
    } else {
      nodes.length += 2 * NODE_SIZE;
      open.push({ node: first + 1, items: halves[1] }, { node: first, items: halves[0] });
    }
  }
  return { nodes: Float32Array.from(nodes), ...inLeafOrder(mesh, leafOrder) };
}

function itemsOf(mesh: Mesh): Item[] {
  const items: Item[] = [];
  for (let triangle = 0; triangle * 3 < mesh.triangles.length; triangle++) {
    const corners = cornersOf(mesh.positions, mesh, triangle);
    const along = (axis: number): number[] => corners.map((corner) => corner[axis] ?? 0);
    const low = [0, 1, 2].map((axis) => Math.min(...along(axis)));
    const high = [0, 1, 2].map((axis) => Math.max(...along(axis)));
    const centre = low.map((value, axis) => (value + (high[axis] ?? 0)) / 2);
    items.push({ triangle, low, high, centre });
  }
  return items;
}

function cornersOf(values: Float32Array, mesh: Mesh, triangle: number): Float32Array[] {
  const vertices = mesh.triangles.subarray(triangle * 3, triangle * 3 + 3);
  return Array.from(vertices, (vertex) => values.subarray(vertex * 3, vertex * 3 + 3));
}

function boxOf(items: readonly Pick<Item, "low" | "high">[]): Box {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (const item of items) {
    for (let axis = 0; axis < 3; axis++) {
      low[axis] = Math.min(low[axis] ?? 0, item.low[axis] ?? 0);
      high[axis] = Math.max(high[axis] ?? 0, item.high[axis] ?? 0);
    }
  }
  return { low, high };
}

/** Half the surface of a box: the chance that a ray meets it, up to a constant. */
function surfaceOf(box: Box): number {
  const [x = 0, y = 0, z = 0] = box.high.map((value, axis) => value - (box.low[axis] ?? 0));
  return x * y + y * z + z * x;
}

/** The cheapest of the splits between bins on each axis, or nothing when a leaf is as good. */
function split(items: Item[], box: Box): [Item[], Item[]] | undefined {
  if (items.length <= LEAF_TRIANGLES_MAX) return undefined;
  let best: [Item[], Item[]] | undefined;
  let bestCost = items.length * surfaceOf(box);
  for (let axis = 0; axis < 3; axis++) {
    const centres = items.map((item) => item.centre[axis] ?? 0);
    const low = Math.min(...centres);
    const step = (Math.max(...centres) - low) / BINS;
    for (let bin = 1; bin < BINS; bin++) {
      const border = low + bin * step;
      const left = items.filter((item) => (item.centre[axis] ?? 0) < border);
      const right = items.filter((item) => (item.centre[axis] ?? 0) >= border);
      if (left.length === 0 || right.length === 0) continue;
      const cost = left.length * surfaceOf(boxOf(left)) + right.length * surfaceOf(boxOf(right));
      if (cost >= bestCost) continue;
      best = [left, right];
      bestCost = cost;
    }
  }
  return best;
}

function inLeafOrder(mesh: Mesh, order: readonly Item[]): Pick<Bvh, "triangles" | "normals"> {
  const triangles = new Float32Array(order.length * TRIANGLE_SIZE);
  const normals = new Float32Array(order.length * TRIANGLE_SIZE);
  for (const [place, { triangle }] of order.entries()) {
    const [a = [], b = [], c = []] = cornersOf(mesh.positions, mesh, triangle).map((v) => [...v]);
    const edge = (to: number[]): number[] => to.map((value, axis) => value - (a[axis] ?? 0));
    triangles.set([...a, ...edge(b), ...edge(c)], place * TRIANGLE_SIZE);
    const smooth = cornersOf(mesh.normals, mesh, triangle).flatMap((normal) => [...normal]);
    normals.set(smooth, place * TRIANGLE_SIZE);
  }
  return { triangles, normals };
}

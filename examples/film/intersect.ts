/** What does a ray meet first? A walk down the tree of bvh.ts, the nearer child first. */
import type { Bvh } from "./bvh.ts";
import { NODE_SIZE, TRIANGLE_SIZE } from "./bvh.ts";

/**
 * One mutable ray is used over and over: a path tracer must not allocate. Whoever changes the
 * direction d also sets its inverse i, by `aim`.
 */
export interface Ray {
  ox: number;
  oy: number;
  oz: number;
  dx: number;
  dy: number;
  dz: number;
  ix: number;
  iy: number;
  iz: number;
  /** Which of a node's numbers is the side of the box that the ray reaches first. */
  nearX: number;
  nearY: number;
  nearZ: number;
}

/** The closest triangle so far; u and v are the weights of its second and third corner. */
export interface TriangleHit {
  distance: number;
  triangle: number;
  u: number;
  v: number;
}

const EPSILON = 1e-9;
const stack = new Int32Array(64);

export function createRay(): Ray {
  return {
    ox: 0,
    oy: 0,
    oz: 0,
    dx: 0,
    dy: 0,
    dz: 0,
    ix: 0,
    iy: 0,
    iz: 0,
    nearX: 0,
    nearY: 0,
    nearZ: 0,
  };
}

export function aim(ray: Ray, dx: number, dy: number, dz: number): void {
  ray.dx = dx;
  ray.dy = dy;
  ray.dz = dz;
  ray.ix = 1 / dx;
  ray.iy = 1 / dy;
  ray.iz = 1 / dz;
  ray.nearX = dx < 0 ? 3 : 0;
  ray.nearY = dy < 0 ? 4 : 1;
  ray.nearZ = dz < 0 ? 5 : 2;
}

export function read(array: Float32Array, index: number): number {
  return array[index] ?? 0;
}

/** Lowers `hit` to the closest triangle nearer than `hit.distance`; true when there is one. */
export function closestTriangle(bvh: Bvh, ray: Ray, hit: TriangleHit): boolean {
  return walk(bvh, ray, hit, false);
}

/** Is there any triangle nearer than `hit.distance`? Stops at the first one found. */
export function isBlocked(bvh: Bvh, ray: Ray, hit: TriangleHit): boolean {
  return walk(bvh, ray, hit, true);
}

function walk(bvh: Bvh, ray: Ray, hit: TriangleHit, any: boolean): boolean {
  const { nodes } = bvh;
  let found = false;
  let depth = 0;
  let node = 0;
  if (enter(nodes, 0, ray) >= hit.distance) return false;
  for (;;) {
    const first = read(nodes, node + 6);
    const count = read(nodes, node + 7);
    if (count > 0) {
      for (let triangle = first; triangle < first + count; triangle++) {
        if (!meetTriangle(bvh.triangles, triangle, ray, hit)) continue;
        if (any) return true;
        found = true;
      }
    } else {
      let near = first * NODE_SIZE;
      let far = near + NODE_SIZE;
      let nearAt = enter(nodes, near, ray);
      let farAt = enter(nodes, far, ray);
      if (farAt < nearAt) {
        [near, far] = [far, near];
        [nearAt, farAt] = [farAt, nearAt];
      }
      if (farAt < hit.distance) stack[depth++] = far;
      if (nearAt < hit.distance) {
        node = near;
        continue;
      }
    }
    if (depth === 0) return found;
    node = stack[--depth] ?? 0;
  }
}

/** The distance at which the ray enters a box, or infinity. */
function enter(nodes: Float32Array, node: number, ray: Ray): number {
  const { nearX, nearY, nearZ } = ray;
  const x0 = (read(nodes, node + nearX) - ray.ox) * ray.ix;
  const y0 = (read(nodes, node + nearY) - ray.oy) * ray.iy;
  const z0 = (read(nodes, node + nearZ) - ray.oz) * ray.iz;
  const x1 = (read(nodes, node + 3 - nearX) - ray.ox) * ray.ix;
  const y1 = (read(nodes, node + 5 - nearY) - ray.oy) * ray.iy;
  const z1 = (read(nodes, node + 7 - nearZ) - ray.oz) * ray.iz;
  // Not Math.max and Math.min: their care for NaN and -0 costs a tenth of the whole film.
  const fromXY = x0 > y0 ? x0 : y0;
  const from = fromXY > z0 ? fromXY : z0;
  const toXY = x1 < y1 ? x1 : y1;
  const to = toXY < z1 ? toXY : z1;
  return to >= from && to > 0 ? from : Infinity;
}

/** Möller and Trumbore's test. */
function meetTriangle(
  triangles: Float32Array,
  triangle: number,
  ray: Ray,
  hit: TriangleHit,
): boolean {
  const at = triangle * TRIANGLE_SIZE;
  const e1x = read(triangles, at + 3);
  const e1y = read(triangles, at + 4);
  const e1z = read(triangles, at + 5);
  const e2x = read(triangles, at + 6);
  const e2y = read(triangles, at + 7);
  const e2z = read(triangles, at + 8);
  const px = ray.dy * e2z - ray.dz * e2y;
  const py = ray.dz * e2x - ray.dx * e2z;
  const pz = ray.dx * e2y - ray.dy * e2x;
  const inverse = 1 / (e1x * px + e1y * py + e1z * pz);
  const tx = ray.ox - read(triangles, at);
  const ty = ray.oy - read(triangles, at + 1);
  const tz = ray.oz - read(triangles, at + 2);
  const u = (tx * px + ty * py + tz * pz) * inverse;
  if (!(u >= 0 && u <= 1)) return false;
  const qx = ty * e1z - tz * e1y;
  const qy = tz * e1x - tx * e1z;
  const qz = tx * e1y - ty * e1x;
  const v = (ray.dx * qx + ray.dy * qy + ray.dz * qz) * inverse;
  if (!(v >= 0 && u + v <= 1)) return false;
  const distance = (e2x * qx + e2y * qy + e2z * qz) * inverse;
  if (!(distance > EPSILON && distance < hit.distance)) return false;
  hit.distance = distance;
  hit.triangle = triangle;
  hit.u = u;
  hit.v = v;
  return true;
}

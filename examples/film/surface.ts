/** What does a ray find in the scene: which point, facing where, of what colour? */
import { TRIANGLE_SIZE } from "./bvh.ts";
import { closestTriangle, read } from "./intersect.ts";
import type { Ray, TriangleHit } from "./intersect.ts";
import * as scene from "./scene.ts";
import type { Colour, Stage } from "./scene.ts";

/** The point p, the normal n of the true surface, and the smooth normal s used for shading. */
export interface Surface {
  kind: "bunny" | "floor";
  px: number;
  py: number;
  pz: number;
  nx: number;
  ny: number;
  nz: number;
  sx: number;
  sy: number;
  sz: number;
  albedo: Colour;
}

/** Rays start this far off a surface, lest they meet it again. */
const OFFSET = 2e-4;
const hit: TriangleHit = { distance: 0, triangle: 0, u: 0, v: 0 };

export function createSurface(): Surface {
  const zero = { px: 0, py: 0, pz: 0, nx: 0, ny: 0, nz: 0, sx: 0, sy: 0, sz: 0 };
  return { kind: "floor", ...zero, albedo: scene.FLOOR };
}

/** Fills `surface` with what the ray meets first; false when it leaves for the sky. */
export function findSurface(stage: Stage, ray: Ray, surface: Surface): boolean {
  const toFloor = ray.dy < 0 ? -ray.oy * ray.iy : Infinity;
  hit.distance = toFloor;
  if (closestTriangle(stage.bvh, ray, hit)) {
    onBunny(stage, ray, surface);
    return true;
  }
  if (toFloor === Infinity) return false;
  surface.kind = "floor";
  surface.px = ray.ox + ray.dx * toFloor;
  surface.py = OFFSET;
  surface.pz = ray.oz + ray.dz * toFloor;
  surface.nx = surface.sx = 0;
  surface.ny = surface.sy = 1;
  surface.nz = surface.sz = 0;
  surface.albedo = floorColour(surface.px, surface.pz);
  return true;
}

/** The floor is plain but for the plate, which carries a dial: a bar every 15°, one bold. */
function floorColour(x: number, z: number): Colour {
  const radius = Math.sqrt(x * x + z * z) / scene.PLATE_RADIUS;
  if (radius > 1) return scene.FLOOR;
  if (radius > 0.975) return scene.PLATE_MARK;
  if (radius < 0.86 || radius > 0.94) return scene.PLATE;
  const turns = (Math.atan2(z, x) / (2 * Math.PI) + 1) * 24;
  const bar = Math.floor(turns);
  const within = turns - bar;
  return within < (bar % 6 === 0 ? 0.5 : 0.12) ? scene.PLATE_MARK : scene.PLATE;
}

function onBunny(stage: Stage, ray: Ray, surface: Surface): void {
  const { triangles, normals } = stage.bvh;
  const { u, v, distance } = hit;
  const at = hit.triangle * TRIANGLE_SIZE;
  const w = 1 - u - v;
  const sx = read(normals, at) * w + read(normals, at + 3) * u + read(normals, at + 6) * v;
  const sy = read(normals, at + 1) * w + read(normals, at + 4) * u + read(normals, at + 7) * v;
  const sz = read(normals, at + 2) * w + read(normals, at + 5) * u + read(normals, at + 8) * v;
  const e1x = read(triangles, at + 3);
  const e1y = read(triangles, at + 4);
  const e1z = read(triangles, at + 5);
  const e2x = read(triangles, at + 6);
  const e2y = read(triangles, at + 7);
  const e2z = read(triangles, at + 8);
  const nx = e1y * e2z - e1z * e2y;
  const ny = e1z * e2x - e1x * e2z;
  const nz = e1x * e2y - e1y * e2x;
  // Both normals face the ray: the scan is open below, so its inside can be seen.
  const facing = nx * ray.dx + ny * ray.dy + nz * ray.dz < 0 ? 1 : -1;
  const n = facing / Math.sqrt(nx * nx + ny * ny + nz * nz);
  const s = facing / Math.sqrt(sx * sx + sy * sy + sz * sz);
  surface.kind = "bunny";
  surface.nx = nx * n;
  surface.ny = ny * n;
  surface.nz = nz * n;
  surface.sx = sx * s;
  surface.sy = sy * s;
  surface.sz = sz * s;
  surface.px = ray.ox + ray.dx * distance + surface.nx * OFFSET;
  surface.py = ray.oy + ray.dy * distance + surface.ny * OFFSET;
  surface.pz = ray.oz + ray.dz * distance + surface.nz * OFFSET;
  surface.albedo = scene.BUNNY;
}

/** Where does the bunny come from? The Stanford scan, with smooth normals, one unit tall. */
import bunny from "bunny";

/** Three numbers per vertex, three vertex numbers per triangle. */
export interface Mesh {
  readonly positions: Float32Array;
  readonly normals: Float32Array;
  readonly triangles: Uint32Array;
}

/** The bunny stands on y = 0, its box is centred on the y axis, its ears end at y = 1. */
export function loadBunny(): Mesh {
  const positions = standOnGround(Float32Array.from(bunny.positions.flat()));
  const triangles = Uint32Array.from(bunny.cells.flat());
  return { positions, triangles, normals: smoothNormals(positions, triangles) };
}

function standOnGround(positions: Float32Array): Float32Array {
  const x = rangeOf(positions, 0);
  const y = rangeOf(positions, 1);
  const z = rangeOf(positions, 2);
  const origin = [(x.low + x.high) / 2, y.low, (z.low + z.high) / 2];
  const scale = 1 / (y.high - y.low);
  return positions.map((value, index) => (value - (origin[index % 3] ?? 0)) * scale);
}

function rangeOf(positions: Float32Array, axis: number): { low: number; high: number } {
  let low = Infinity;
  let high = -Infinity;
  for (let i = axis; i < positions.length; i += 3) {
    low = Math.min(low, positions[i] ?? 0);
    high = Math.max(high, positions[i] ?? 0);
  }
  return { low, high };
}

/** A vertex normal is the sum of its triangles' cross products: their normals, by area. */
function smoothNormals(positions: Float32Array, triangles: Uint32Array): Float32Array {
  const normals = new Float32Array(positions.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const cross = crossOfTriangle(positions, triangles.subarray(t, t + 3));
    for (const vertex of triangles.subarray(t, t + 3)) {
      for (let axis = 0; axis < 3; axis++) {
        const at = vertex * 3 + axis;
        normals[at] = (normals[at] ?? 0) + (cross[axis] ?? 0);
      }
    }
  }
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i] ?? 0, normals[i + 1] ?? 0, normals[i + 2] ?? 0);
    for (let axis = 0; axis < 3; axis++) normals[i + axis] = (normals[i + axis] ?? 0) / length;
  }
  return normals;
}

function crossOfTriangle(positions: Float32Array, corners: Uint32Array): [number, number, number] {
  const [a = 0, b = 0, c = 0] = corners;
  const edge = (from: number, to: number, axis: number): number =>
    (positions[to * 3 + axis] ?? 0) - (positions[from * 3 + axis] ?? 0);
  const [ux, uy, uz] = [edge(a, b, 0), edge(a, b, 1), edge(a, b, 2)];
  const [vx, vy, vz] = [edge(a, c, 0), edge(a, c, 1), edge(a, c, 2)];
  return [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
}

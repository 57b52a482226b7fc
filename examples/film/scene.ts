/**
 * What is in the picture? The bunny on a turntable, a soft light, a sky, and a camera that goes
 * once around in the course of the film. Light and camera turn together around a resting bunny,
 * which looks like a turning bunny and needs one tree of triangles for all frames.
 */
import { buildBvh } from "./bvh.ts";
import type { Bvh } from "./bvh.ts";
import { loadBunny } from "./mesh.ts";

export interface Vector {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** Linear light, red green blue. */
export type Colour = Vector;

/** What all frames share; costs about 0.1 s, so it is made once per process. */
export interface Scene {
  readonly bvh: Bvh;
}

/** One frame's view of the scene. */
export interface Stage extends Scene {
  readonly eye: Vector;
  /** `right` and `up` are as long as half the picture is wide, one unit before the eye. */
  readonly right: Vector;
  readonly up: Vector;
  readonly forward: Vector;
  /** A rectangle: its centre, its half sides, and the side it shines to. */
  readonly light: { readonly centre: Vector; u: Vector; v: Vector; normal: Vector; area: number };
  readonly rim: Vector;
}

export const LIGHT: Colour = { x: 17.5, y: 14.6, z: 11.2 };
export const SKY_ZENITH: Colour = { x: 0.15, y: 0.21, z: 0.33 };
export const SKY_HORIZON: Colour = { x: 0.115, y: 0.13, z: 0.2 };
export const RIM: Colour = { x: 0.5, y: 0.33, z: 0.75 };
export const BUNNY: Colour = { x: 0.82, y: 0.34, z: 0.18 };
export const FLOOR: Colour = { x: 0.16, y: 0.25, z: 0.31 };
export const PLATE: Colour = { x: 0.58, y: 0.54, z: 0.47 };
export const PLATE_MARK: Colour = { x: 0.07, y: 0.11, z: 0.15 };
export const BACKDROP_CENTRE: Colour = { x: 0.16, y: 0.26, z: 0.33 };
export const BACKDROP_EDGE: Colour = { x: 0.035, y: 0.06, z: 0.095 };
export const PLATE_RADIUS = 0.78;
/** The floor melts into the backdrop between these distances from the axis. */
export const FADE_FROM = 0.9;
export const FADE_TO = 2.6;

const TARGET: Vector = { x: 0, y: 0.43, z: 0 };
const CAMERA_DISTANCE = 4.2;
const CAMERA_ELEVATION = 0.3;
const HALF_WIDTH = 0.195;
const START_ANGLE = 0.35;

export function prepareScene(): Scene {
  return { bvh: buildBvh(loadBunny()) };
}

export function stageOf(scene: Scene, frame: number, frames: number): Stage {
  const angle = START_ANGLE + (2 * Math.PI * frame) / frames;
  const turn = (vector: Vector): Vector => turned(vector, angle);
  const back = turn({ x: 0, y: Math.sin(CAMERA_ELEVATION), z: Math.cos(CAMERA_ELEVATION) });
  const right = turn({ x: 1, y: 0, z: 0 });
  const light = turn({ x: -2.2, y: 2.6, z: 1.3 });
  const toTarget = unit(plus(TARGET, light, -1));
  const side = unit(cross(toTarget, { x: 0, y: 1, z: 0 }));
  const half = 0.62;
  return {
    bvh: scene.bvh,
    eye: plus(TARGET, back, CAMERA_DISTANCE),
    right: scaled(right, HALF_WIDTH),
    up: scaled(cross(back, right), HALF_WIDTH),
    forward: scaled(back, -1),
    light: {
      centre: light,
      u: scaled(side, half),
      v: scaled(cross(side, toTarget), half),
      normal: toTarget,
      area: 4 * half * half,
    },
    rim: turn(unit({ x: 0.75, y: 0.35, z: -0.8 })),
  };
}

/** Turned around the y axis. */
function turned({ x, y, z }: Vector, angle: number): Vector {
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  return { x: x * cos + z * sin, y, z: z * cos - x * sin };
}

function plus(a: Vector, b: Vector, times: number): Vector {
  return { x: a.x + b.x * times, y: a.y + b.y * times, z: a.z + b.z * times };
}

function scaled({ x, y, z }: Vector, times: number): Vector {
  return { x: x * times, y: y * times, z: z * times };
}

function unit(vector: Vector): Vector {
  return scaled(vector, 1 / Math.hypot(vector.x, vector.y, vector.z));
}

function cross(a: Vector, b: Vector): Vector {
  return { x: a.y * b.z - a.z * b.y, y: a.z * b.x - a.x * b.z, z: a.x * b.y - a.y * b.x };
}

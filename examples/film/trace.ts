/**
 * How much light comes along one ray? A path tracer: at every surface it looks at one point of the
 * light, then follows one diffuse bounce, and after the last bounce takes the sky for the rest.
 */
import { aim, createRay, isBlocked } from "./intersect.ts";
import type { Ray, TriangleHit } from "./intersect.ts";
import { drawPair } from "./sampler.ts";
import type { Sampler } from "./sampler.ts";
import * as scene from "./scene.ts";
import type { Colour, Stage } from "./scene.ts";
import { createSurface, findSurface } from "./surface.ts";
import type { Surface } from "./surface.ts";

const BOUNCES = 2;
/** After the last bounce this much of the sky is taken to be in sight. */
const SKY_SHARE_AT_END = 0.5;
/** Dimensions of the sampler: 0 is the place in the pixel, then two for each surface. */
const FIRST_DIMENSION = 1;

export interface Light {
  r: number;
  g: number;
  b: number;
}

const surface: Surface = createSurface();
const shadowRay: Ray = createRay();
const shadowHit: TriangleHit = { distance: 0, triangle: 0, u: 0, v: 0 };

/** Adds the light that arrives along `ray` (which it spends) to `total`. */
export function addLight(stage: Stage, ray: Ray, sampler: Sampler, total: Light): void {
  let r = 1;
  let g = 1;
  let b = 1;
  for (let bounce = 0; ; bounce++) {
    if (!findSurface(stage, ray, surface)) {
      add(total, bounce === 0 ? backdropOf(stage, ray) : skyOf(stage, ray), r, g, b);
      return;
    }
    if (bounce === 0 && surface.kind === "floor") {
      const fade = fadeOf(surface);
      add(total, backdropOf(stage, ray), fade, fade, fade);
      if (fade === 1) return;
      r = g = b = 1 - fade;
    }
    drawPair(sampler, FIRST_DIMENSION + bounce * 2);
    const direct = directLight(stage, sampler);
    if (bounce === 0 && direct > 0 && surface.kind === "bunny") {
      const shine = direct * glossOf(ray);
      add(total, scene.LIGHT, shine, shine, shine);
    }
    r *= surface.albedo.x;
    g *= surface.albedo.y;
    b *= surface.albedo.z;
    add(total, scene.LIGHT, r * direct, g * direct, b * direct);
    if (bounce === BOUNCES) {
      const open = SKY_SHARE_AT_END;
      add(total, scene.SKY_HORIZON, r * open, g * open, b * open);
      return;
    }
    drawPair(sampler, FIRST_DIMENSION + bounce * 2 + 1);
    bounceRay(ray, sampler);
  }
}

function add(total: Light, light: Colour, r: number, g: number, b: number): void {
  total.r += light.x * r;
  total.g += light.y * g;
  total.b += light.z * b;
}

/** The share of the light's radiance that one sampled point of it sends off the surface. */
function directLight(stage: Stage, sampler: Sampler): number {
  const { centre, u, v, normal, area } = stage.light;
  const a = sampler.u * 2 - 1;
  const b = sampler.v * 2 - 1;
  const x = centre.x + u.x * a + v.x * b - surface.px;
  const y = centre.y + u.y * a + v.y * b - surface.py;
  const z = centre.z + u.z * a + v.z * b - surface.pz;
  const squared = x * x + y * y + z * z;
  const distance = Math.sqrt(squared);
  const cosSurface = (x * surface.sx + y * surface.sy + z * surface.sz) / distance;
  const cosTrue = x * surface.nx + y * surface.ny + z * surface.nz;
  const cosLight = -(x * normal.x + y * normal.y + z * normal.z) / distance;
  if (cosSurface <= 0 || cosTrue <= 0 || cosLight <= 0) return 0;
  shadowRay.ox = surface.px;
  shadowRay.oy = surface.py;
  shadowRay.oz = surface.pz;
  aim(shadowRay, x / distance, y / distance, z / distance);
  shadowHit.distance = distance;
  if (isBlocked(stage.bvh, shadowRay, shadowHit)) return 0;
  return (cosSurface * cosLight * area) / (squared * Math.PI);
}

/** A broad highlight, as on glazed clay: its share of the light that arrives. */
function glossOf(ray: Ray): number {
  const hx = shadowRay.dx - ray.dx;
  const hy = shadowRay.dy - ray.dy;
  const hz = shadowRay.dz - ray.dz;
  const along = hx * surface.sx + hy * surface.sy + hz * surface.sz;
  const cos2 = (along * along) / (hx * hx + hy * hy + hz * hz);
  const cos8 = cos2 * cos2 * cos2 * cos2;
  return 0.3 * cos8 * cos8 * cos8 * cos8;
}

/** Turns the ray into one that leaves the surface, by chance, the steeper the likelier. */
function bounceRay(ray: Ray, sampler: Sampler): void {
  const angle = 2 * Math.PI * sampler.u;
  const radius = Math.sqrt(sampler.v);
  const p = radius * Math.cos(angle);
  const q = radius * Math.sin(angle);
  const up = Math.sqrt(1 - sampler.v);
  // An orthonormal basis around the normal (Duff et al., 2017).
  const { sx, sy, sz } = surface;
  const sign = sz >= 0 ? 1 : -1;
  const c = -1 / (sign + sz);
  const d = sx * sy * c;
  ray.ox = surface.px;
  ray.oy = surface.py;
  ray.oz = surface.pz;
  aim(
    ray,
    p * (1 + sign * sx * sx * c) + q * d + up * sx,
    p * sign * d + q * (sign + sy * sy * c) + up * sy,
    -p * sign * sx - q * sy + up * sz,
  );
}

function fadeOf(point: Surface): number {
  const distance = Math.sqrt(point.px * point.px + point.pz * point.pz);
  return smoothStep((distance - scene.FADE_FROM) / (scene.FADE_TO - scene.FADE_FROM));
}

function smoothStep(x: number): number {
  const t = Math.min(1, Math.max(0, x));
  return t * t * (3 - 2 * t);
}

/** The one result of `mix`, overwritten by the next: use it at once. */
const mixed = { x: 0, y: 0, z: 0 };

function mix(from: Colour, to: Colour, share: number): Colour {
  mixed.x = from.x + (to.x - from.x) * share;
  mixed.y = from.y + (to.y - from.y) * share;
  mixed.z = from.z + (to.z - from.z) * share;
  return mixed;
}

/** What the camera sees behind everything: a glow in the middle of the picture. */
function backdropOf(stage: Stage, ray: Ray): Colour {
  const { forward } = stage;
  const cos = ray.dx * forward.x + ray.dy * forward.y + ray.dz * forward.z;
  return mix(scene.BACKDROP_CENTRE, scene.BACKDROP_EDGE, smoothStep((1 - cos) * 26));
}

/** What lights the scene from all around: a sky, and a coloured glow from behind. */
function skyOf(stage: Stage, ray: Ray): Colour {
  const sky = mix(scene.SKY_HORIZON, scene.SKY_ZENITH, Math.max(0, ray.dy));
  const toRim = Math.max(0, ray.dx * stage.rim.x + ray.dy * stage.rim.y + ray.dz * stage.rim.z);
  const glow = toRim * toRim;
  mixed.x = sky.x + scene.RIM.x * glow;
  mixed.y = sky.y + scene.RIM.y * glow;
  mixed.z = sky.z + scene.RIM.z * glow;
  return mixed;
}

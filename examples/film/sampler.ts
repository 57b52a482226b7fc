/**
 * Which directions does a path try? Points of a Sobol sequence, shuffled and scrambled by integer
 * hashes (Burley, "Practical Hash-based Owen Scrambling", 2020): even in every pair of dimensions,
 * so that 16 paths look like 60 random ones, and the same on every machine.
 */

/** `u` and `v` in [0, 1) are the pair drawn last. */
export interface Sampler {
  seed: number;
  index: number;
  u: number;
  v: number;
}

export function createSampler(): Sampler {
  return { seed: 0, index: 0, u: 0, v: 0 };
}

/** Draws the pair of numbers number `dimension` of path number `index` of the pixel `seed`. */
export function drawPair(sampler: Sampler, dimension: number): void {
  const seed = hash(sampler.seed ^ Math.imul(dimension + 1, 0x9e3779b9));
  const reversed = permute(reverseBits(sampler.index), seed);
  sampler.u = toUnit(scramble(reversed, hash(seed + 1)));
  sampler.v = toUnit(scramble(sobolSecond(reversed), hash(seed + 2)));
}

/** A good mixing of 32 bits (Wellons' lowbias32). */
export function hash(value: number): number {
  let x = value ^ (value >>> 16);
  x = Math.imul(x, 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0xd35a2d97);
  return x ^ (x >>> 15);
}

/** Owen's scrambling: each bit of a fraction is flipped or not by a hash of the bits above it. */
function scramble(fraction: number, seed: number): number {
  return reverseBits(permute(reverseBits(fraction), seed));
}

/** Each bit is flipped or not by a hash of the bits below it (Laine and Karras). */
function permute(value: number, seed: number): number {
  let x = (value + seed) | 0;
  x ^= Math.imul(x, 0x6c50b47c);
  x ^= Math.imul(x, 0xb82f1e52);
  x ^= Math.imul(x, 0xc7afe638);
  return x ^ Math.imul(x, 0x8d22f6e6);
}

/**
 * The second dimension of Sobol's sequence, of an index whose bits are reversed: Pascal's triangle
 * modulo 2 as a matrix, applied in five steps. The first dimension is the reversed index itself.
 */
function sobolSecond(reversed: number): number {
  let x = reversed;
  x ^= x << 16;
  x ^= (x & 0x00ff00ff) << 8;
  x ^= (x & 0x0f0f0f0f) << 4;
  x ^= (x & 0x33333333) << 2;
  return x ^ ((x & 0x55555555) << 1);
}

function reverseBits(value: number): number {
  let x = (value >>> 16) | (value << 16);
  x = ((x & 0x00ff00ff) << 8) | ((x & 0xff00ff00) >>> 8);
  x = ((x & 0x0f0f0f0f) << 4) | ((x & 0xf0f0f0f0) >>> 4);
  x = ((x & 0x33333333) << 2) | ((x & 0xcccccccc) >>> 2);
  return ((x & 0x55555555) << 1) | ((x & 0xaaaaaaaa) >>> 1);
}

function toUnit(bits: number): number {
  return (bits >>> 0) / 0x1_0000_0000;
}

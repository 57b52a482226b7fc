// What a job's digest says of its parts, of the payloads that it holds and of the jobs that wait for it: sums
// that are kept as those change, so that a digest does not walk through 100,000 of them (K7).

import type { PayloadHash } from "../protocol/ids.ts";
import type { Job, Part } from "./state.ts";

type Sign = 1 | -1;

export function sumPart(job: Job, part: Part, sign: Sign): void {
  let a = Math.imul(part.first + 1, 0x9e3779b1) ^ Math.imul(part.count + 1, 0x85ebca6b);
  a = Math.imul(a ^ (a >>> 15), 0x2c1b3c6d) ^ Math.imul(part.sum, 0xc2b2ae35);
  add(job, a ^ Math.imul(part.left + 1, 0x27d4eb2f), sign);
}

export function sumPayload(job: Job, hash: PayloadHash, uses: number, sign: Sign): void {
  let a = 0x811c9dc5;
  for (let i = 0; i < hash.length; i++) a = Math.imul(a ^ hash.charCodeAt(i), 0x01000193);
  add(job, a ^ Math.imul(uses, 0x297a2d39), sign);
}

export function sumDependent(job: Job, dependent: number, sign: Sign): void {
  add(job, Math.imul(dependent, 0x1b56c4e9) ^ 0x5bd1e995, sign);
}

/** All of them: what the sums must be. */
export function sumAnew(job: Job): void {
  job.otherA = 0;
  job.otherB = 0;
  for (const part of job.parts) sumPart(job, part, 1);
  for (const [hash, uses] of job.payloads) sumPayload(job, hash, uses, 1);
  for (const dependent of job.dependents) sumDependent(job, dependent, 1);
}

function add(job: Job, mixed: number, sign: Sign): void {
  let a = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
  a = Math.imul(a ^ (a >>> 15), 0x846ca68b);
  const b = Math.imul(a ^ (a >>> 13) ^ job.number, 0xcc9e2d51);
  job.otherA = (job.otherA + sign * (a ^ (a >>> 16))) | 0;
  job.otherB = (job.otherB + sign * (b ^ (b >>> 14))) | 0;
}

// What a worker on this machine is called, and what it offers, in words.

import { hostname } from "node:os";
import { amount } from "./format.ts";

/** The host's name, as far as it can be a worker's. */
export function idOfHost(): string {
  const name = hostname().replace(/[^A-Za-z0-9_.:@#-]/g, "-");
  return /^[A-Za-z0-9_]/.test(name) ? name.slice(0, 120) : "worker";
}

/** "8 cpus, 12 GiB, license 2". */
export function offer(amounts: Readonly<Record<string, number>>): string {
  const { cpu = 0, memory = 0, ...others } = amounts;
  const more = Object.entries(others).map(([name, n]) => `${name} ${amount(name, n)}`);
  const cpus = cpu === 1_000 ? "1 cpu" : `${amount("cpu", cpu)} cpus`;
  return [cpus, amount("memory", memory), ...more].join(", ");
}

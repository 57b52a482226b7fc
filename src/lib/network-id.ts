// Which kernel and which network a process lives in. Two processes that say the same share their loopback
// interface and the addresses of this machine: then "connection refused" is the word of the kernel that would
// know. A tunnel, a forwarded port or a container makes 127.0.0.1 mean something else, and says another id.

import { execFileSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { bootId } from "./proc.ts";

/** Empty where the system does not say; an empty id is like no other, itself included. */
export function networkId(): string {
  try {
    // The name tells machines apart that were resumed from one image of a running machine.
    return `${boot()} ${hostname()}`;
  } catch {
    return "";
  }
}

function boot(): string {
  if (process.platform === "linux") {
    const id = bootId();
    if (id !== undefined) return `${id} ${readlinkSync("/proc/self/ns/net")}`;
  }
  if (process.platform === "darwin") {
    const args = ["-n", "kern.bootsessionuuid"];
    return execFileSync("/usr/sbin/sysctl", args, { encoding: "utf8", timeout: 1_000 }).trim();
  }
  throw new Error(`${process.platform} has no id of a boot`);
}

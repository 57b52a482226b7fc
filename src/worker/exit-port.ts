// The worker's own port: it accepts and closes. When it refuses, this process is gone (W5).

import { createServer } from "node:net";
import { once } from "node:events";

export interface ExitPort extends AsyncDisposable {
  /** host:port; empty when a master elsewhere could not reach it, and so must not ask. */
  readonly address: string;
}

/**
 * Listens on `host`. A loopback address means something to a master on this machine only: anywhere
 * else a refusal would be that machine's own, and take a living worker for dead.
 */
export async function openExitPort(host: string, masters: readonly string[]): Promise<ExitPort> {
  const server = createServer((socket) => {
    socket.on("error", () => {
      // The other side has what it wanted to know.
    });
    socket.destroy();
  });
  server.listen(0, host);
  await once(server, "listening");
  const bound = server.address();
  const port = typeof bound === "object" && bound ? bound.port : 0;
  const reachable = !isLoopback(host) || masters.every((url) => isLoopback(new URL(url).hostname));
  const shown = host.includes(":") ? `[${host}]` : host;
  return {
    address: reachable ? `${shown}:${port}` : "",
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "");
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}

// The worker's own port: it accepts and closes. When it refuses, this process is gone (W5).

import { createServer } from "node:net";
import { once } from "node:events";

export interface ExitPort extends AsyncDisposable {
  /** host:port, as seen from this machine: masters ask only if it is theirs too (`WorkerInfo.network`). */
  readonly address: string;
}

/** Listens on `host` until it is disposed, the last thing of a worker to be. */
export async function openExitPort(host: string): Promise<ExitPort> {
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
  const shown = host.includes(":") ? `[${host}]` : host;
  return {
    address: `${shown}:${port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

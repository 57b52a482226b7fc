// Masters that dial in: a WebSocket at /v1/peer, behind the same door as everything else (D1). Pings and silence
// are kept in peers.ts.

import type { Log } from "../lib/log.ts";
import type { FromStandby, ToStandby } from "../protocol/peer-messages.ts";
import { MessageError } from "./message-fields.ts";
import { checkFromStandby } from "./peer-checks.ts";
import type { Peers } from "./peers.ts";
import { remoteOf } from "./upgrades.ts";
import type { ServeSocket } from "./upgrades.ts";
import { listenTo, Wire } from "./wire.ts";

export interface PeerServerOptions {
  readonly peers: Pick<Peers, "opened" | "received" | "closed">;
  readonly log: Log;
}

export function servePeers({ peers, log }: PeerServerOptions): ServeSocket {
  return (socket, request) => {
    const remote = remoteOf(request);
    const check = checkFromStandby;
    const wire = new Wire<ToStandby, FromStandby>(socket, { remote, check, weight: peerWeight });
    peers.opened(wire);
    listenTo(socket, wire, {
      received: (messages) => peers.received(wire, messages),
      failed(error) {
        const why = error instanceof Error ? error.message : String(error);
        log.warn("a master sent what is no frame", { remote, why });
        const code = error instanceof MessageError ? error.code : "bad_request";
        const message = `This master cannot take what the other says: ${why}.`;
        wire.send([{ kind: "refuse", code, message }]);
        wire.close(`a frame could not be read: ${why}`);
      },
      closed: () => peers.closed(wire),
    });
  };
}

export function peerWeight(message: FromStandby | ToStandby): number {
  if ("hashes" in message) return 256 + 70 * message.hashes.length;
  return "workers" in message ? 256 + 9 * message.workers.length : 1_024;
}

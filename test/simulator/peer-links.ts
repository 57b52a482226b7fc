// Connections between masters: what peer-server.ts and its dialler do around sockets.

import { limits } from "../../src/protocol/limits.ts";
import type { FromStandby, ToStandby } from "../../src/protocol/peer-messages.ts";
import type { DialEvents, PeerConnection } from "../../src/master/peer-ports.ts";
import type { Peers } from "../../src/master/peers.ts";
import { dial, Framed } from "./network.ts";
import type { Link, Place } from "./network.ts";
import type { SimMaster } from "./master.ts";
import type { World } from "./world.ts";

/** Another master has dialled this one. */
export function acceptPeer(world: World, link: Link, peers: Peers): void {
  const framed = new Framed<ToStandby, FromStandby>(world, link, "listener");
  let open = true;
  const connection: PeerConnection<ToStandby> = {
    remote: "a master",
    send: (messages) => {
      if (open) framed.send(messages);
    },
    close: () => {
      open = false;
      link.close("listener");
    },
  };
  peers.opened(connection);
  link.listen("listener", {
    receive: (bytes) => peers.received(connection, framed.read(bytes)),
    closed: () => {
      open = false;
      peers.closed(connection);
    },
  });
}

export interface PeerDial {
  readonly caller: Place;
  readonly target: SimMaster;
  readonly events: DialEvents;
  /** For when the caller's process dies. */
  readonly made: (link: Link) => void;
}

export function dialPeer(world: World, options: PeerDial): PeerConnection<FromStandby> {
  const { caller, target, events, made } = options;
  let framed: Framed<FromStandby, ToStandby> | undefined;
  let link: Link | undefined;
  let open = true;
  const ended = (how: "refused" | "cut" | "failed", reason: string) => {
    if (!open) return;
    open = false;
    events.ended({ how, reason });
  };
  const abort = dial(world, {
    caller,
    target,
    timeoutMs: limits.suspectAfterMs,
    accept: (accepted) => target.life?.acceptPeer(accepted),
    connected: (connected) => {
      link = connected;
      made(link);
      framed = new Framed(world, connected, "dialler");
      const read = framed;
      connected.listen("dialler", {
        receive: (bytes) => {
          const messages = read.read(bytes);
          if (open) events.received(messages);
        },
        closed: (reason) => ended("cut", reason),
      });
      if (open) events.opened();
    },
    failed: (why) => ended(why === "refused" ? "refused" : "failed", why),
  });
  return {
    remote: target.id,
    send: (messages) => {
      if (open) framed?.send(messages);
    },
    close: () => {
      open = false;
      if (link) link.close("dialler");
      else abort("drop");
    },
  };
}

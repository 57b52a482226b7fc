// Dialling another master: a WebSocket to its /v1/peer with the token of the cluster. What the network answers is
// told apart here: a refused connection proves that nothing listens, and nothing else does (K1 of leader-link.ts).

import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import type { Log } from "../lib/log.ts";
import type { FromStandby, ToStandby } from "../protocol/peer-messages.ts";
import { limits } from "../protocol/limits.ts";
import { peerPath } from "../protocol/routes.ts";
import { checkToStandby } from "./peer-checks.ts";
import type { DialEnd, DialEvents, PeerConnection, PeersPorts } from "./peer-ports.ts";
import { peerWeight } from "./peer-server.ts";
import { listenTo, Wire } from "./wire.ts";

export interface PeerDialOptions {
  readonly token: string;
  readonly log: Log;
}

/** `PeersPorts.dial` on real sockets. Its time is kept by who dials. */
export function peerDial({ token, log }: PeerDialOptions): PeersPorts["dial"] {
  return (address, events) => {
    const target = urlOf(address);
    if (target === undefined) return nowhere(address, events);
    const socket = new WebSocket(target, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      maxPayload: limits.frameBytesMax,
    });
    return new Dialled(socket, address, events, log);
  };
}

class Dialled implements PeerConnection<FromStandby> {
  readonly remote: string;
  readonly #socket: WebSocket;
  readonly #wire: Wire<FromStandby, ToStandby>;
  #end: DialEnd = { how: "failed", reason: "the connection was closed" };
  #isClosed = false;

  constructor(socket: WebSocket, address: string, events: DialEvents, log: Log) {
    this.remote = address;
    this.#socket = socket;
    const options = { remote: address, check: checkToStandby, weight: peerWeight };
    this.#wire = new Wire<FromStandby, ToStandby>(socket, options);
    socket.on("open", () => {
      this.#end = { how: "cut", reason: "the connection was cut" };
      if (!this.#isClosed) events.opened();
    });
    socket.on("unexpected-response", (_request, response) => {
      if (!this.#isClosed) this.#turnedAway(response, events);
    });
    // Also what comes before it is open: `refused` is in the code of this error.
    socket.on("error", (error) => this.#failed(error));
    listenTo(socket, this.#wire, {
      received: (messages) => events.received(messages),
      failed: (error) => {
        log.warn("a master sent what is no frame", { remote: address, error });
        this.#wire.close("a frame could not be read");
      },
      closed: () => {
        if (!this.#isClosed) events.ended(this.#end);
      },
    });
  }

  send(messages: readonly FromStandby[]): void {
    if (!this.#isClosed) this.#wire.send(messages);
  }

  close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.terminate();
    else this.#wire.close(reason);
  }

  #failed(error: Error): void {
    const { how } = this.#end;
    const refused = how === "failed" && isRefused(error);
    this.#end = { how: refused ? "refused" : how, reason: error.message };
  }

  /** The door, or another kind of server: said in words, for people. */
  #turnedAway(response: IncomingMessage, events: DialEvents): void {
    const { statusCode = 0 } = response;
    response.resume();
    const what = `The master at ${this.remote} turned this one away with status ${statusCode}.`;
    const code = statusCode === 401 ? "unauthorized" : "bad_request";
    const hint = statusCode === 401 ? " Both need the same token." : "";
    events.received([{ kind: "refuse", code, message: `${what}${hint}` }]);
    this.#socket.terminate();
  }
}

/** Of several addresses of one name each must refuse. */
function isRefused(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isRefused);
  return error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
}

function urlOf(address: string): URL | undefined {
  if (!URL.canParse(peerPath, address)) return undefined;
  const url = new URL(peerPath, address);
  const secure = url.protocol === "https:";
  if (!secure && url.protocol !== "http:") return undefined;
  url.protocol = secure ? "wss:" : "ws:";
  return url;
}

function nowhere(address: string, events: DialEvents): PeerConnection<FromStandby> {
  let isClosed = false;
  setImmediate(() => {
    if (!isClosed) events.ended({ how: "failed", reason: `${address} is no address` });
  });
  return { remote: address, send() {}, close: () => (isClosed = true) };
}

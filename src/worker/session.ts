// One WebSocket connection to one master, from the dial to its end.
//
// Owns: frames and their numbers, pings, silence. Does not own: which masters there are and when to
// dial again (sessions.ts), what the messages mean (agent.ts).
//   C1. Frames are numbered without gaps on both sides; one that is out of order ends the
//       connection, so what is received is an ordered stream without losses or repeats.
//   C2. A frame goes out at least once a second, and names the last one received (W4).
//   C3. When nothing is heard for `suspectAfter` the connection is ended here, since the master
//       does the same on its side; time in which this process itself stood still does not count.
//   C4. It ends exactly once, with an outcome; nothing is told to the owner afterwards.

import type { Socket } from "node:net";
import type { IncomingMessage } from "node:http";
import { WebSocket, type RawData } from "ws";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Incarnation, WorkerId } from "../protocol/ids.ts";
import { limits } from "../protocol/limits.ts";
import {
  type MasterMessage,
  type MasterWelcome,
  protocolVersion,
  protocolVersionMin,
  type WorkerMessage,
} from "../protocol/messages.ts";
import { sessionPath } from "../protocol/routes.ts";
import { decodeFrame, encodeFrame, FrameError, messageBytes } from "./frames.ts";

/** One connection to one master; a new connection has a new, higher number. */
export type SessionNumber = number;

export type ConnectionOutcome =
  /** The master will not have this worker; dialling again with the same words is of no use. */
  | { readonly kind: "refused"; readonly code: string; readonly message: string }
  /** Dial again. */
  | { readonly kind: "lost"; readonly reason: string }
  /** Ended by this side's wish. */
  | { readonly kind: "closed"; readonly reason: string };

/** Who this worker is; `journalId` is learned with the first welcome. */
export interface WorkerIdentity {
  readonly id: WorkerId;
  readonly incarnation: Incarnation;
  readonly version: string;
  journalId: string | null;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly token: string | undefined;
  readonly identity: WorkerIdentity;
  readonly clock: Clock;
  /** The first frame said welcome. What it returns ends the connection at once. */
  readonly onWelcome: (welcome: MasterWelcome) => ConnectionOutcome | undefined;
  readonly onMessages: (messages: readonly MasterMessage[]) => void;
  readonly onEnd: (outcome: ConnectionOutcome) => void;
}

const pingMs = 1_000;
const checkMs = 250;
/** Messages are packed into frames of about this size. */
const frameBytes = 1024 * 1024;
/** A master that does not read for so long is as good as gone. */
const bufferedBytesMax = 64 * 1024 * 1024;
/** Answers of a master that speaks HTTP but will not open a session, ever. */
const finalStatuses = new Set([401, 403, 421, 426]);

export class Connection {
  readonly #o: ConnectionOptions;
  readonly #socket: WebSocket;
  #tcp: Socket | undefined;
  #outbox: WorkerMessage[] = [];
  #sent = 0;
  #received = 0;
  #welcomed = false;
  #ended = false;
  #heardAt: number;
  #spokeAt: number;
  #checkedAt: number;
  #suspectAfterMs: number = limits.suspectAfterMs;
  #timer: CancelTimer;

  constructor(options: ConnectionOptions) {
    this.#o = options;
    const { url, token, clock, identity } = options;
    this.#heardAt = this.#spokeAt = this.#checkedAt = clock.now();
    this.#socket = new WebSocket(new URL(sessionPath, url.replace(/^http/, "ws")), {
      perMessageDeflate: false,
      maxPayload: limits.frameBytesMax,
      handshakeTimeout: limits.suspectAfterMs,
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    });
    this.#socket.on("upgrade", (response) => {
      this.#tcp = response.socket;
      this.#tcp.setNoDelay(true);
    });
    this.#socket.on("open", () => {
      const { id, incarnation, version, journalId } = identity;
      const protocol = [protocolVersionMin, protocolVersion] as const;
      this.send([{ kind: "hello", protocol, version, id, incarnation, journalId }]);
    });
    this.#socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    this.#socket.on("unexpected-response", (_request, response) => this.#answered(response));
    this.#socket.on("error", (error) => this.#end({ kind: "lost", reason: error.message }));
    this.#socket.on("close", (code, reason) =>
      this.#end({ kind: "lost", reason: `closed by the master: ${code} ${String(reason)}` }),
    );
    this.#timer = clock.after(checkMs, () => this.#check());
  }

  /** Bytes that the master has not taken from the socket yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** This side's address on the way to the master. */
  get localAddress(): string | undefined {
    return this.#tcp?.localAddress;
  }

  /** Messages of one turn travel in one frame. */
  send(messages: readonly WorkerMessage[]): void {
    if (this.#ended) return;
    if (this.#outbox.length === 0) queueMicrotask(() => this.#flush());
    this.#outbox.push(...messages);
  }

  /** Ends it; what was sent before still goes out if the master reads it. */
  close(outcome: ConnectionOutcome): void {
    this.#flush();
    this.#end(outcome);
  }

  #flush(): void {
    if (this.#ended || this.#outbox.length === 0) return;
    const messages = this.#outbox;
    this.#outbox = [];
    this.#tcp?.cork();
    let from = 0;
    let bytes = 0;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i];
      const size = message ? messageBytes(message) : 0;
      if (i > from && bytes + size > frameBytes) {
        this.#write(messages.slice(from, i));
        from = i;
        bytes = 0;
      }
      bytes += size;
    }
    this.#write(from === 0 ? messages : messages.slice(from));
    const tcp = this.#tcp;
    if (tcp) process.nextTick(() => tcp.uncork());
  }

  #write(messages: readonly WorkerMessage[]): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(encodeFrame([++this.#sent, this.#received, messages]));
    this.#spokeAt = this.#o.clock.now();
    if (this.#socket.bufferedAmount <= bufferedBytesMax) return;
    this.#end({ kind: "lost", reason: "the master does not read" });
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#ended) return;
    this.#heardAt = this.#o.clock.now();
    try {
      if (!isBinary || !(data instanceof Uint8Array)) throw new FrameError("not a binary frame");
      const [n, , messages] = decodeFrame(data);
      if (n !== this.#received + 1) {
        throw new FrameError(`frame ${n} after frame ${this.#received}`);
      }
      this.#received = n;
      this.#take(messages);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#end({ kind: "lost", reason: `the master sent what is no frame: ${error.message}` });
    }
  }

  #take(messages: readonly MasterMessage[]): void {
    const refusal = messages.find((message) => message.kind === "refuse");
    if (refusal) {
      return this.#end({ kind: "refused", code: refusal.code, message: refusal.message });
    }
    if (this.#welcomed) {
      if (messages.length > 0) this.#o.onMessages(messages);
      return;
    }
    const [welcome, ...rest] = messages;
    if (!welcome) return;
    if (welcome.kind !== "welcome") throw new FrameError("a master that does not say welcome");
    this.#welcomed = true;
    this.#suspectAfterMs = welcome.suspectAfterMs;
    const outcome = refusalOf(welcome, this.#o) ?? this.#o.onWelcome(welcome);
    if (outcome) this.#end(outcome);
    else if (rest.length > 0) this.#o.onMessages(rest);
  }

  /** The master answered the upgrade with plain HTTP. */
  #answered(response: IncomingMessage): void {
    const status = response.statusCode ?? 0;
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      if (body.length < 65_536) body += chunk;
    });
    response.on("error", (error) => this.#end({ kind: "lost", reason: error.message }));
    response.on("end", () => {
      const { code, detail } = problemIn(body);
      const message = detail ?? `the master answered ${status}`;
      if (!finalStatuses.has(status)) return this.#end({ kind: "lost", reason: message });
      this.#end({ kind: "refused", code: code ?? "unauthorized", message });
    });
  }

  #check(): void {
    if (this.#ended) return;
    const { clock } = this.#o;
    const now = clock.now();
    // If this timer is late, this process stood still, and news may lie unread in the socket (C3).
    const stalledMs = now - this.#checkedAt - checkMs;
    if (stalledMs > checkMs) this.#heardAt += stalledMs;
    this.#checkedAt = now;
    const silentMs = now - this.#heardAt;
    if (silentMs > this.#suspectAfterMs) {
      return this.#end({ kind: "lost", reason: `nothing heard for ${Math.round(silentMs)} ms` });
    }
    this.#timer = clock.after(checkMs, () => this.#check());
    if (this.#welcomed && now - this.#spokeAt > pingMs - checkMs) this.#write([]);
  }

  #end(outcome: ConnectionOutcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer();
    if (outcome.kind === "closed" && this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.close(1000);
      const { clock } = this.#o;
      const kill = clock.after(pingMs, () => this.#socket.terminate());
      this.#socket.once("close", kill);
    } else this.#socket.terminate();
    this.#o.onEnd(outcome);
  }
}

/** Both sides check: a master that is older may not know the rule it breaks. */
function refusalOf(
  { protocol, journalId, version }: MasterWelcome,
  { identity, url }: ConnectionOptions,
): ConnectionOutcome | undefined {
  if (protocol < protocolVersionMin || protocol > protocolVersion) {
    const ours = `${protocolVersionMin} to ${protocolVersion}`;
    const message = `${url} (${version}) speaks protocol ${protocol}, this worker ${ours}`;
    return { kind: "refused", code: "protocol_version", message };
  }
  if (identity.journalId !== null && identity.journalId !== journalId) {
    const message = `${url} has journal ${journalId}, this worker works for ${identity.journalId}`;
    return { kind: "refused", code: "foreign_journal", message };
  }
  identity.journalId = journalId;
  return undefined;
}

function problemIn(body: string): { code?: string; detail?: string } {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== "object" || value === null) return {};
    const { code, detail } = value as { code?: unknown; detail?: unknown };
    return {
      ...(typeof code === "string" ? { code } : {}),
      ...(typeof detail === "string" ? { detail } : {}),
    };
  } catch {
    // A proxy's page is not JSON; the status says enough.
    return {};
  }
}

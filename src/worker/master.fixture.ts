// A master for tests of sessions and of a whole worker: a WebSocket and a few HTTP answers.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { decode, encode } from "@msgpack/msgpack";
import { type WebSocket, WebSocketServer } from "ws";
import type { Frame, MasterMessage, MasterWelcome, WorkerMessage } from "../protocol/messages.ts";

export class FakeMaster implements AsyncDisposable {
  readonly server: Server;
  readonly sockets: WebSocket[] = [];
  readonly received: WorkerMessage[] = [];
  readonly frames: Frame<WorkerMessage>[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly #numbers = new Map<WebSocket, number>();
  readonly #waiting = new Set<() => void>();
  /** What it says after a hello; nothing when undefined. */
  greet: ((hello: WorkerMessage) => MasterMessage[]) | undefined = () => [this.welcome()];
  /** Called with every batch of messages. */
  answer: (messages: readonly WorkerMessage[], socket: WebSocket) => void = () => {};
  http: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => {
    response.writeHead(404).end();
  };

  private constructor() {
    this.server = createServer((request, response) => this.http(request, response));
    const sockets = new WebSocketServer({ server: this.server });
    sockets.on("connection", (socket, request) => {
      this.sockets.push(socket);
      this.authorizations.push(request.headers.authorization);
      socket.on("message", (data: Buffer) => this.#receive(socket, data));
      socket.on("error", () => {
        // Tests end connections in rude ways.
      });
    });
  }

  static async start(port = 0): Promise<FakeMaster> {
    const master = new FakeMaster();
    master.server.listen(port, "127.0.0.1");
    await once(master.server, "listening");
    return master;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  welcome(more: Partial<MasterWelcome> = {}): MasterWelcome {
    return {
      kind: "welcome",
      protocol: 1,
      version: "0.0.0",
      journalId: "journal-1",
      master: { id: `m${this.port}`, incarnation: "00000000000000bb" },
      masters: [this.url],
      suspectAfterMs: 3_000,
      lostAfterMs: 15_000,
      ...more,
    };
  }

  send(socket: WebSocket, ...messages: MasterMessage[]): void {
    const n = (this.#numbers.get(socket) ?? 0) + 1;
    this.#numbers.set(socket, n);
    socket.send(encode([n, 0, messages]));
  }

  /** Resolves when `is` holds; it is looked at after every frame and connection. */
  async until(is: () => boolean): Promise<void> {
    while (!is()) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, 20);
        this.#waiting.add(wake);
      });
    }
  }

  ofKind<Kind extends WorkerMessage["kind"]>(kind: Kind): Extract<WorkerMessage, { kind: Kind }>[] {
    return this.received.filter(
      (message): message is Extract<WorkerMessage, { kind: Kind }> => message.kind === kind,
    );
  }

  #receive(socket: WebSocket, data: Buffer): void {
    const frame = decode(data) as Frame<WorkerMessage>;
    this.frames.push(frame);
    const [, , messages] = frame;
    this.received.push(...messages);
    const [first] = messages;
    if (first?.kind === "hello" && this.greet) this.send(socket, ...this.greet(first));
    this.answer(messages, socket);
    for (const wake of this.#waiting) wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

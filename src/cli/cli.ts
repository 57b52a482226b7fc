// One invocation: where it prints, how it connects, what it ends with. Every command is given one.
//
//   O1. stdout is data, stderr is messages. A progress line stands on stderr, and only
//       on a terminal.
//   O2. What is printed while a progress line stands goes above it.

import type { Client } from "../client/index.ts";
import type { ClusterOptions, Connection } from "./connection.ts";
import { exitCodes } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { plainText, styleFor, widthOf } from "./style.ts";
import type { Style, StyleFlags } from "./style.ts";
import { TerminalText } from "./terminal-text.ts";

export interface CliFlags extends StyleFlags {
  readonly debug: boolean;
}

/** Version of the documents that --json prints. */
export const apiVersion = "skein/v1";

export class Cli {
  readonly io: Io;
  readonly flags: CliFlags;
  /** Of stdout. */
  readonly out: Style;
  /** Of stderr. */
  readonly err: Style;
  exitCode: number = exitCodes.ok;
  #line = "";
  readonly #filters = { stdout: new TerminalText(), stderr: new TerminalText() };
  readonly #connections: Connection[] = [];

  constructor(io: Io, flags: CliFlags) {
    this.io = io;
    this.flags = flags;
    this.out = styleFor(io.stdout, io.env, flags);
    this.err = styleFor(io.stderr, io.env, flags);
  }

  /** Data, to stdout. */
  print(data: string | Uint8Array): boolean {
    return this.#above(() => this.io.stdout.write(data));
  }

  /** A message, to stderr; the line end is added. */
  say(text: string): void {
    this.raw(`${text}\n`);
  }

  /** A message and what to do next: on one line if the terminal is wide enough. */
  sayNext(text: string, steps: string): void {
    const width = this.io.stderr.columns ?? Infinity;
    const fits = widthOf(text) + widthOf(steps) + 3 <= width;
    this.say(fits ? `${text}   ${steps}` : `${text}\n  ${steps}`);
  }

  /** Bytes to stderr, as they are. */
  raw(data: string | Uint8Array): boolean {
    return this.#above(() => this.io.stderr.write(data));
  }

  /** What a task printed: as it is, unless a terminal would obey it. */
  output(stream: "stdout" | "stderr", bytes: Uint8Array): boolean {
    const safe = this.io[stream].isTTY ? this.#filters[stream].push(bytes) : bytes;
    return stream === "stdout" ? this.print(safe) : this.raw(safe);
  }

  /** One document: what --json prints. */
  json(document: object): void {
    this.print(`${JSON.stringify({ apiVersion, ...document }, null, 2)}\n`);
  }

  /** Whether a progress line can stand on stderr. */
  get canShowProgress(): boolean {
    return this.io.stderr.isTTY && this.io.env["TERM"] !== "dumb";
  }

  /** Puts the progress line, or with "" takes it away. */
  progress(text: string): void {
    if (!this.canShowProgress || text === this.#line) return;
    const back = this.#line === "" ? "" : "\r\u001b[K";
    // A line that wrapped could not be taken back; one that is cut has no colours.
    const room = (this.io.stderr.columns ?? 80) - 1;
    this.#line = widthOf(text) <= room ? text : plainText(text).slice(0, room);
    this.io.stderr.write(back + this.#line);
  }

  /** A connection to the cluster that the options, the environment or the data directory name. */
  async connect(options: ClusterOptions): Promise<Connection> {
    const { openConnection } = await import("./connection.ts");
    const connection = await openConnection(options, this);
    this.#connections.push(connection);
    return connection;
  }

  async client(options: ClusterOptions): Promise<Client> {
    return (await this.connect(options)).client;
  }

  async close(): Promise<void> {
    this.progress("");
    await Promise.all(this.#connections.splice(0).map((connection) => connection.close()));
  }

  #above(write: () => boolean): boolean {
    const line = this.#line;
    this.progress("");
    const room = write();
    this.progress(line);
    return room;
  }
}

// What a slot's main thread sends. Rows wait for company, at most 256 or 2 ms; every other message goes out
// at once, behind the rows. Writing is synchronous as long as the pipe takes it, so it works while a task
// holds the thread.

import type { Socket } from "node:net";
import { encodeFrame } from "./frames.ts";
import type { RowBuffer } from "./rows.ts";
import type { FromSlot } from "./wire.ts";

const rowsMax = 256;
const rowsMs = 2;

export class Outbox {
  readonly #socket: Socket;
  readonly #rows: RowBuffer;
  #firstAt = 0;

  constructor(socket: Socket, rows: RowBuffer) {
    this.#socket = socket;
    this.#rows = rows;
  }

  row(seq: number, code: number, micros: number, value: string, now: number): void {
    const rows = this.#rows;
    if (!rows.fits(value.length)) this.flush();
    if (rows.count === 0) this.#firstAt = now;
    rows.add(seq, code, micros, value);
    if (rows.count >= rowsMax || now - this.#firstAt >= rowsMs) this.flush();
  }

  get waiting(): boolean {
    return this.#rows.count > 0;
  }

  flush(): void {
    if (this.#rows.count > 0) this.#write([{ kind: "rows", bytes: this.#rows.take() }]);
  }

  send(message: FromSlot): void {
    const messages = [message];
    if (this.#rows.count > 0) messages.unshift({ kind: "rows", bytes: this.#rows.take() });
    this.#write(messages);
  }

  /** Bytes the worker has not taken: a command's output waits when there are many. */
  get backlog(): number {
    return this.#socket.writableLength;
  }

  onceDrained(go: () => void): void {
    this.#socket.once("drain", go);
  }

  /** Calls `done` when all is sent, or soon if the worker takes nothing. */
  end(done: () => void): void {
    this.flush();
    const timer = setTimeout(done, 1_000);
    this.#socket.end(() => {
      clearTimeout(timer);
      done();
    });
  }

  #write(messages: readonly FromSlot[]): void {
    if (this.#socket.writable) this.#socket.write(encodeFrame(messages));
  }
}

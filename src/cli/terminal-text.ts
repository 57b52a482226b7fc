// What a task printed, for a terminal: colours stay, whatever else would steer the terminal goes. A log must not be able
// to move the cursor over what stands there, to set a title, or to have the terminal answer as if the user had typed.

const esc = 0x1b;
const bell = 0x07;
const newline = 0x0a;
/** Letters after ESC, and C1 codes, that begin a string: OSC, DCS, SOS, PM, APC. */
const stringStarts = new Set([0x5d, 0x50, 0x58, 0x5e, 0x5f]);
const kept = new Set([0x09, newline, 0x0d]);
const paramsMax = 64;

type State = "text" | "escape" | "between" | "sequence" | "string" | "string escape" | "lead";

/** Sequences may be cut anywhere between two pushes. */
export class TerminalText {
  #state: State = "text";
  #params: number[] = [];

  push(bytes: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (const byte of bytes) this.#take(byte, out);
    return Uint8Array.from(out);
  }

  #take(byte: number, out: number[]): void {
    // No sequence goes over the end of a line: one that never ends must not swallow the rest.
    if (byte === newline && this.#state !== "lead") this.#state = "text";
    switch (this.#state) {
      case "text":
        return this.#text(byte, out);
      case "lead":
        return this.#afterLead(byte, out);
      case "escape":
        return this.#escape(byte, out);
      case "between":
        if (byte >= 0x30 || byte < 0x20) this.#state = "text";
        return;
      case "sequence":
        return this.#sequence(byte, out);
      case "string":
        if (byte === bell) this.#state = "text";
        else if (byte === esc) this.#state = "string escape";
        return;
      case "string escape":
        this.#state = byte === 0x5c ? "text" : "string";
        return;
    }
  }

  #text(byte: number, out: number[]): void {
    if (byte === esc) this.#state = "escape";
    else if (byte === 0xc2) this.#state = "lead";
    else if ((byte >= 0x20 && byte !== 0x7f) || kept.has(byte)) out.push(byte);
  }

  /** C1 codes are two bytes in UTF-8: C2 80 to C2 9F. */
  #afterLead(byte: number, out: number[]): void {
    this.#state = "text";
    if (byte >= 0x80 && byte <= 0x9f) return this.#begin(byte - 0x40);
    out.push(0xc2);
    this.#take(byte, out);
  }

  #escape(byte: number, out: number[]): void {
    if (byte === esc) return;
    this.#state = "text";
    if (byte >= 0x20 && byte <= 0x2f) this.#state = "between";
    else if (byte < 0x20) this.#text(byte, out);
    else this.#begin(byte);
  }

  #begin(letter: number): void {
    this.#params = [];
    if (letter === 0x5b) this.#state = "sequence";
    else if (stringStarts.has(letter)) this.#state = "string";
  }

  #sequence(byte: number, out: number[]): void {
    if (byte >= 0x20 && byte <= 0x3f && this.#params.length < paramsMax) {
      this.#params.push(byte);
      return;
    }
    this.#state = "text";
    if (byte === esc) this.#state = "escape";
    // m with digits, ; and : only: a colour.
    const isColour = byte === 0x6d && this.#params.every((param) => param >= 0x30 && param <= 0x3b);
    if (isColour) out.push(esc, 0x5b, ...this.#params, byte);
  }
}

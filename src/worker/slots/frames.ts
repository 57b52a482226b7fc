// Length-prefixed MessagePack frames over a pipe, in both directions.

import { Decoder, Encoder } from "@msgpack/msgpack";

const encoder = new Encoder();
const decoder = new Decoder();

/** A slot's values and a worker's inputs are bounded by the largest payload, so no frame is near this. */
const frameBytesMax = 1_024 * 1_024 * 1_024;

export function encodeFrame(messages: readonly unknown[]): Uint8Array {
  const body = encoder.encodeSharedRef(messages);
  const frame = new Uint8Array(4 + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, 4);
  return frame;
}

/** Cuts frames out of chunks as they arrive. The bytes in messages are views into the chunks. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #length = 0;
  #needed = 4;

  /** Messages of all frames that are complete now. */
  push(chunk: Uint8Array): unknown[] {
    // Not a Buffer: what is cut out of it goes to others, and Buffer.slice does not copy.
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    // A large frame comes in many chunks: they are joined once, when the last one is here.
    if (this.#length < this.#needed) return [];
    const messages: unknown[] = [];
    const rest = readFrames(joined(this.#chunks, this.#length), messages);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    this.#needed = rest.length < 4 ? 4 : 4 + lengthAt(rest);
    return messages;
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = chunks;
  if (first && chunks.length === 1) return first;
  const all = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

function readFrames(bytes: Uint8Array, messages: unknown[]): Uint8Array {
  let offset = 0;
  while (bytes.length - offset >= 4) {
    const length = lengthAt(bytes, offset);
    const end = offset + 4 + length;
    if (end > bytes.length) break;
    const batch = decoder.decode(bytes.subarray(offset + 4, end));
    if (!Array.isArray(batch)) throw new TypeError("a frame between slot and worker is no array");
    for (const message of batch) messages.push(message);
    offset = end;
  }
  return bytes.subarray(offset);
}

function lengthAt(bytes: Uint8Array, offset = 0): number {
  const length = new DataView(bytes.buffer, bytes.byteOffset + offset, 4).getUint32(0);
  if (length > frameBytesMax) throw new RangeError(`a frame claims ${length} bytes`);
  return length;
}

// gRPC puts each message behind one byte of flags and four of length.

const prefixBytes = 5;
/** Above any page of batches that we ask for. */
const messageBytesMax = 64 * 1024 * 1024;

export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixBytes);
  return framed;
}

/** Puts messages together again from chunks of any size. */
export class FrameReader {
  readonly #chunks: Buffer[] = [];
  #size = 0;

  /** The messages that this chunk completes. Throws where they are compressed or far too large. */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const messages: Buffer[] = [];
    for (let next = this.#next(); next; next = this.#next()) messages.push(next);
    return messages;
  }

  #next(): Buffer | undefined {
    if (this.#size < prefixBytes) return undefined;
    if ((this.#chunks[0]?.length ?? 0) < prefixBytes) this.#join();
    const first = this.#chunks[0];
    if (!first) return undefined;
    const end = prefixBytes + first.readUInt32BE(1);
    if (first[0] !== 0) throw new Error("a compressed message, which was not asked for");
    if (end > messageBytesMax) throw new Error(`a message of ${end} bytes`);
    if (this.#size < end) return undefined;
    const whole = this.#join();
    this.#chunks.length = 0;
    this.#size -= end;
    if (this.#size > 0) this.#chunks.push(whole.subarray(end));
    return whole.subarray(prefixBytes, end);
  }

  #join(): Buffer {
    const [first, second] = this.#chunks;
    if (first && !second) return first;
    const whole = Buffer.concat(this.#chunks);
    this.#chunks.splice(0, this.#chunks.length, whole);
    return whole;
  }
}

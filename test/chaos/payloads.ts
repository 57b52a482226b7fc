/** Contents too large to travel inline: made from a few words, and told apart by their sum. Tasks carry this too. */
import { createHash } from "node:crypto";

/** Text of so many characters; other words, other text. */
export function filler(words: string, length: number): string {
  const bytes = createHash("shake256", { outputLength: Math.ceil((length * 3) / 4) });
  return bytes.update(words).digest("base64").slice(0, length);
}

export function sumOf(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

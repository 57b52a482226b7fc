/** How do pixels travel in JSON? As differences to the pixel before, deflated, in base64. */
import { deflateRawSync, inflateRawSync } from "node:zlib";

/** About half the bytes: a tile of the default film fits into 16 KiB, base64 included. */
export function packPixels(rgb: Uint8Array): string {
  const differences = rgb.map((value, i) => value - (rgb[i - 3] ?? 0));
  return deflateRawSync(differences, { level: 9 }).toString("base64");
}

export function unpackPixels(packed: string): Uint8Array {
  const rgb = Uint8Array.from(inflateRawSync(Buffer.from(packed, "base64")));
  for (let i = 3; i < rgb.length; i++) rgb[i] = (rgb[i] ?? 0) + (rgb[i - 3] ?? 0);
  return rgb;
}

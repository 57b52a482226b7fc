// Stored bytes, up and down.

import type { Caller } from "./calls.ts";
import type { Client } from "./client.ts";
import { pathOf } from "./paths.ts";

const bytesType = { "content-type": "application/octet-stream" };
const silenceMs = 15_000;

export function payloadCalls(caller: Caller) {
  return {
    putPayload: (hash, bytes, options = {}) =>
      caller.call(
        {
          method: "PUT",
          path: pathOf("putPayload", { hash }),
          headers: bytesType,
          body: bytes,
          // At least 1 MB a second, beside what any answer may take.
          silenceMs: silenceMs + bytes.length / 1_000,
        },
        options,
        async (response) => void (await response.text()),
      ),
    payload: (hash, options = {}) => {
      const { range } = options;
      const headers = range ? { range: `bytes=${range.from}-${range.to ?? ""}` } : {};
      return caller.call(
        { method: "GET", path: pathOf("payload", { hash }), headers },
        options,
        (response) => response.bytes(),
      );
    },
  } satisfies Pick<Client, "payload" | "putPayload">;
}

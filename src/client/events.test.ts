import { expect, test } from "vitest";
import { clusterEvents } from "./events.ts";
import type { ClusterEvent, EventsPlace } from "./events.ts";
import type { TransportResponse } from "./transport.ts";

const row = (n: number) =>
  `id: 7.${n}\nevent: timeline\ndata: {"id":"7.${n}","text":"ä \\u001b[31m <b>"}\n\n`;
const tick = 'id: 7.0\nevent: tick\ndata: {"journal":"j1"}\n\n';

/** A body in pieces, which then ends, or breaks. */
function answer(pieces: readonly Uint8Array[], end: "ends" | "breaks"): TransportResponse {
  async function* body(): AsyncGenerator<Uint8Array> {
    yield* pieces;
    if (end === "breaks") throw new Error("cut");
  }
  return { status: 200, header: () => null, body: body() } as unknown as TransportResponse;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

test("events are cut out of any pieces; a stream that breaks or ends is opened anew from its last row", async () => {
  const leaving = new AbortController();
  const asked: EventsPlace[] = [];
  const first = bytesOf(tick + row(1) + row(2));
  const answers = [
    answer(
      [...first].map((byte) => Uint8Array.of(byte)),
      "breaks",
    ),
    answer([bytesOf(row(3)), bytesOf(row(4).slice(0, 20))], "ends"),
    answer([bytesOf(row(4))], "ends"),
  ];
  const seen: ClusterEvent[] = [];
  const open = async (place: EventsPlace) => {
    asked.push(place);
    return answers.shift() ?? answer([], "ends");
  };
  for await (const event of clusterEvents(open, { after: "6.1", signal: leaving.signal })) {
    seen.push(event);
    if (seen.length === 5) break;
  }
  expect(seen.map(({ event, id }) => `${event} ${id}`)).toEqual([
    "tick 7.0",
    "timeline 7.1",
    "timeline 7.2",
    "timeline 7.3",
    "timeline 7.4",
  ]);
  expect(seen[1]?.data).toEqual({ id: "7.1", text: "ä \u001b[31m <b>" });
  expect(asked).toEqual([
    { after: "6.1", journal: undefined },
    { after: "7.2", journal: "j1" },
    { after: "7.3", journal: "j1" },
  ]);
});

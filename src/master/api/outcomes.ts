// GET …/outcomes: how tasks ended, in the order recorded. Blocks go to an SDK as they were journaled; with
// Accept: application/x-ndjson each outcome is a line:
//
//   {"task":3,"attempt":1,"state":"succeeded","reason":"succeeded","runMs":1.5,"value":…}
//   or "error":{…} in place of "value"; or "stored":{hash,size,encoding} where the value is a payload.

import type { FastifyRequest } from "fastify";
import { SkeinError } from "../../protocol/errors.ts";
import { taskState } from "../../protocol/model.ts";
import { decodeOutcomes, outcomeItem } from "../../protocol/outcome-block.ts";
import { encodeRecord, parsePosition } from "../../protocol/outcome-stream.ts";
import { outcomeStreamType } from "../../protocol/routes.ts";
import { ByteWriter } from "../../protocol/varint.ts";
import type { RecordedBlock } from "../archive/archive.ts";
import { stream } from "./body-stream.ts";
import type { BodyStream } from "./body-stream.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { checkArchived, findJob } from "./lookup.ts";
import { outcomeLine } from "./outcome-json.ts";
import { OutcomeFeed } from "./outcome-feed.ts";
import type { FeedItem } from "./outcome-feed.ts";

const pulseMs = 15_000;
const linesType = "application/x-ndjson";
const start = { index: 0, n: 0 };

/** How a stream looks on the wire. */
interface Format {
  readonly type: string;
  readonly blocks: (blocks: readonly RecordedBlock[]) => Uint8Array;
  readonly end: (end: Extract<FeedItem, { kind: "end" }>) => Uint8Array;
  readonly pulse: Uint8Array;
}

export async function outcomes(
  context: ApiContext,
  call: Call<"outcomes">,
): Promise<Answer<"outcomes">> {
  const { params, query, request, reply } = call;
  const after = query.after === undefined ? start : parsePosition(query.after);
  if (!after) throw new SkeinError("bad_request", "after: a position is written index.n");
  const format = wantsLines(request) ? lineFormat : blockFormat;
  const job = await findJob(context, params.job);
  await checkArchived(context, job);
  const follow = query.follow === "1";
  // A follower that misses the end record asks another master, or this one again, from where it was.
  const options = { reply, type: format.type, whenStopped: "end" } as const;
  return stream(context, options, async (body) => {
    const { master } = context;
    const release = context.watch.hold(job);
    const feed = new OutcomeFeed({ master, job, after, follow, onWait: () => body.begin() });
    const pulse = setInterval(() => beat(body, format), pulseMs);
    body.onStop(() => feed.stop());
    try {
      await copy(feed, format, body);
    } finally {
      clearInterval(pulse);
      feed.stop();
      release();
    }
  });
}

function wantsLines({ headers }: FastifyRequest): boolean {
  const { accept = "" } = headers;
  return accept.includes(linesType) || (accept.includes("json") && !accept.includes("vnd.skein"));
}

async function copy(feed: OutcomeFeed, format: Format, body: BodyStream): Promise<void> {
  for (;;) {
    const item = await feed.next();
    if (item.kind === "idle") return;
    if (item.kind === "end") {
      await body.write(format.end(item));
      return;
    }
    await body.write(format.blocks(item.blocks));
  }
}

function beat(body: BodyStream, format: Format): void {
  // Every write is of whole records, so a pulse falls between two.
  if (body.over || !body.quiet() || body.waiting > 0) return;
  // A reader that goes just now is noticed by the write of the next record.
  body.write(format.pulse)?.catch(() => {});
}

const blockFormat: Format = {
  type: outcomeStreamType,
  blocks: (blocks) => Buffer.concat(blocks.flatMap((one) => [blockHead(one), one.block])),
  end: ({ at, state }) => encodeRecord({ kind: "end", at, state: taskState[state] }),
  pulse: encodeRecord({ kind: "pulse" }),
};

/** A block record without the block, which follows as it is. */
function blockHead({ index, n, block }: RecordedBlock): Uint8Array {
  const writer = new ByteWriter(32);
  writer.byte(1);
  writer.varint(index);
  writer.varint(n);
  writer.varint(block.length);
  return writer.done();
}

const lineFormat: Format = {
  type: linesType,
  blocks: (blocks) => Buffer.from(blocks.map(linesOf).join("")),
  end: () => new Uint8Array(0),
  pulse: Buffer.from("\n"),
};

function linesOf({ block }: RecordedBlock): string {
  const columns = decodeOutcomes(block);
  let lines = "";
  for (let i = 0; i < columns.count; i++) lines += `${outcomeLine(outcomeItem(columns, i))}\n`;
  return lines;
}

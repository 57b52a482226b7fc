// GET …/results: a line for each task, in their order. A result is its JSON, as the slot sent it; a stored one is
// put in its place. A line that begins with "@" is no result, and no JSON, so that no reader takes it for one:
//
//   @{"task":3,"state":"failed","reason":"error","error":{…}}      it has none, and never will
//   @{"task":4,"state":"unfinished"}                               it has none yet (without follow=1)
//   @{"stored":{"hash":…,"size":…,"encoding":"bytes"}}             it is bytes: GET /v1/payloads/{hash}
//
// So line n is always of task from + n. With follow=1 each line waits for its task to end.

import type { OutcomeItem } from "../../protocol/outcome-block.ts";
import { archiveLimits } from "../archive/archive.ts";
import { notLeading } from "../not-leading.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";
import { ReaderGone, stream } from "./body-stream.ts";
import type { BodyStream } from "./body-stream.ts";
import { checkArchived, findJob, seeJob, viewOfRow } from "./lookup.ts";
import { errorOf, reasonOf, storedOf } from "./outcome-json.ts";

const pageBytes = 512 * 1024;
/** Whoever wants one result reads one line: so the first page is short. */
const firstPage = 16;
/** A follower looks no more often than this. */
const lookMs = 20;
const newline = Buffer.from("\n");
const nothing = Buffer.from("null");

export async function results(
  context: ApiContext,
  call: Call<"results">,
): Promise<Answer<"results">> {
  const { params, query, reply } = call;
  const job = await findJob(context, params.job);
  await checkArchived(context, job);
  return stream(context, { reply, type: "application/x-ndjson" }, async (body) => {
    const release = context.watch.hold(job);
    const bell = new Bell(context, job, query.follow === "1");
    body.onStop(() => bell.stop());
    try {
      await new ResultLines(context, job, bell, body).run(query.from);
    } finally {
      bell.stop();
      release();
    }
  });
}

/** Rings when outcomes of a job were recorded. */
class Bell {
  readonly follow: boolean;
  readonly #unlisten: () => void;
  #rung = false;
  #wake = () => {};
  #stopped = false;

  constructor({ master }: ApiContext, job: number, follow: boolean) {
    this.follow = follow;
    const ring = () => {
      this.#rung = true;
      this.#wake();
    };
    this.#unlisten = follow
      ? master.hub.listen(job, { onBlock: ring, onEnd: ring, onMissed: ring })
      : () => {};
  }

  /** Call before looking: what is recorded from here on rings. */
  arm(): void {
    this.#rung = false;
  }

  /** Resolves once it has rung since it was armed, and not too soon. */
  async heard(): Promise<void> {
    if (!this.#rung && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (!this.#stopped) await new Promise((resolve) => setTimeout(resolve, lookMs));
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    this.#wake();
  }
}

class ResultLines {
  readonly #context: ApiContext;
  readonly #job: number;
  readonly #bell: Bell;
  readonly #body: BodyStream;
  #lines: Uint8Array[] = [];

  constructor(context: ApiContext, job: number, bell: Bell, body: BodyStream) {
    this.#context = context;
    this.#job = job;
    this.#bell = bell;
    this.#body = body;
  }

  async run(from: number): Promise<void> {
    let next = from;
    let count = firstPage;
    for (;;) {
      this.#bell.arm();
      const { tasks, ended } = await this.#view();
      const more = Math.min(count, tasks - next);
      const ready = more > 0 ? await this.#page(next, more, ended) : next;
      await this.#flush();
      const stuck = ready === next;
      next = ready;
      if (next >= tasks && (ended || !this.#bell.follow)) return;
      count = Math.min(count * 4, archiveLimits.resultsMax);
      if (!stuck) continue;
      this.#body.begin();
      await this.#bell.heard();
      if (this.#body.over) throw new ReaderGone("nobody reads any more");
    }
  }

  #view(): Promise<{ readonly tasks: number; readonly ended: boolean }> {
    return seeJob(
      this.#context,
      this.#job,
      (job) => ({ tasks: job.tasks.count, ended: job.ended !== "" }),
      (row) => ({ tasks: viewOfRow(row).tasks, ended: true }),
    );
  }

  /** Lines of tasks from `first`; returns the first task that is still to come. */
  async #page(first: number, count: number, ended: boolean): Promise<number> {
    const query = { from: first, count, bytesMax: pageBytes };
    const page = await this.#context.master.archive.results(this.#job, query);
    const found = new Map(page.items.map((item) => [item.task, item]));
    for (let task = first; task < page.next; task++) {
      const item = found.get(task);
      if (item) await this.#add(item);
      else if (this.#bell.follow && !ended) return task;
      else this.#note({ task, state: "unfinished" });
    }
    return page.next;
  }

  async #add(item: OutcomeItem): Promise<void> {
    const { state, name } = reasonOf(item.code);
    const stored = storedOf(item);
    if (state !== "succeeded") {
      this.#note({ task: item.task, state, reason: name, error: errorOf(item) });
    } else if (stored?.encoding === "bytes") this.#note({ stored });
    else if (stored) await this.#putIn(item.task, stored);
    else this.#lines.push(item.value.length === 0 ? nothing : item.value, newline);
  }

  #note(note: object): void {
    this.#lines.push(Buffer.from(`@${JSON.stringify(note)}\n`));
  }

  /** A stored result in its place, piece by piece. */
  async #putIn(task: number, stored: { readonly hash: string }): Promise<void> {
    const read = await this.#context.master.copies.read(stored.hash);
    if (!read) {
      // The leader has it (A1): before the first byte this is told, later the reader is cut and comes back.
      if (!this.#context.master.loop.leads) throw notLeading(this.#context.master);
      const reason = "payload_gone";
      this.#note({ task, state: "failed", reason, error: { name: reason, message: "it is gone" } });
      return;
    }
    for await (const piece of read.stream) {
      await this.#flush();
      this.#lines.push(asOneLine(piece as Buffer)); // a stream without an encoding gives buffers
    }
    this.#lines.push(newline);
  }

  async #flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    if (lines.length > 0) await this.#body.write(Buffer.concat(lines));
  }
}

/** Line ends in JSON stand between its tokens only: spaces do as well. */
function asOneLine(piece: Buffer): Buffer {
  for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) piece[at] = 32;
  return piece;
}

// Lines of all tasks of a job, merged by the time they were printed, as `skein logs JOB` shows them.

import type { Client, LogLineView } from "../client/index.ts";
import { delay } from "../lib/abort.ts";
import type { Cli } from "./cli.ts";
import { plural, shortId } from "./format.ts";

export interface JobLinesOptions {
  readonly follow: boolean;
  readonly attempt: number | undefined;
  readonly stream: "stdout" | "stderr" | "both";
  readonly grep: string | undefined;
  readonly since: number | undefined;
  readonly tail: number | undefined;
  /** Lines at most. */
  readonly limit: number;
}

const pageLines = 1_000;
const lookMs = 1_000;
/** What workers print comes to masters within two seconds (docs/logs.md), and clocks differ. */
const lateMs = 10_000;

export async function showJobLines(
  client: Client,
  job: string,
  options: JobLinesOptions,
  cli: Cli,
): Promise<void> {
  const lines = new JobLines(client, job, options, cli);
  const { signal } = cli.io;
  let ended = (await client.job(job, { signal })).ended !== null;
  await lines.look(options.since);
  while (options.follow) {
    // What was printed before the end may be on its way still.
    await delay(ended ? 2 * lookMs : lookMs, signal);
    const wasOver = ended;
    ended = (await client.job(job, { signal })).ended !== null;
    await lines.look(Math.max(options.since ?? 0, lines.newest - lateMs));
    if (wasOver) break;
  }
  lines.end();
}

class JobLines {
  readonly #client: Client;
  readonly #job: string;
  readonly #o: JobLinesOptions;
  readonly #cli: Cli;
  /** Lines that were shown and may come again, with their time. */
  readonly #shown = new Map<string, number>();
  #count = 0;
  #more = false;
  #partial: string | undefined;
  newest = 0;

  constructor(client: Client, job: string, options: JobLinesOptions, cli: Cli) {
    this.#client = client;
    this.#job = job;
    this.#o = options;
    this.#cli = cli;
  }

  async look(since: number | undefined): Promise<void> {
    const { grep, stream, tail } = this.#o;
    const first = this.#count === 0;
    const last: LogLineView[] = [];
    let cursor: string | null = null;
    for (;;) {
      const query = { grep, since, stream, limit: pageLines };
      const page = await this.#client.jobLogs(
        this.#job,
        cursor === null ? query : { ...query, cursor },
        { signal: this.#cli.io.signal },
      );
      this.#partial ??= page.partial;
      for (const line of page.items.filter((one) => this.#isNew(one))) {
        if (tail === undefined || !first) await this.#show(line);
        else if (last.push(line) > tail) last.shift();
      }
      cursor = page.nextCursor;
      if (cursor === null || this.#more) break;
    }
    for (const line of last) await this.#show(line);
    for (const [id, at] of this.#shown) if (at < this.newest - 2 * lateMs) this.#shown.delete(id);
  }

  end(): void {
    const say = (text: string) => this.#cli.say(this.#cli.err.dim(text));
    if (this.#count === 0) say(`${shortId(this.#job)}: no line fits.`);
    if (this.#more) say(`${plural(this.#count, "line")} are shown; --limit shows more.`);
    if (this.#partial) say(`Lines may be missing: ${this.#partial}.`);
  }

  #isNew({ id, at, attempt }: LogLineView): boolean {
    if (this.#o.attempt !== undefined && attempt !== this.#o.attempt) return false;
    if (this.#shown.has(id)) return false;
    const time = Date.parse(at);
    this.newest = Math.max(this.newest, time);
    if (this.#o.follow) this.#shown.set(id, time);
    return true;
  }

  async #show({ task, attempt, stream, text }: LogLineView): Promise<void> {
    if (this.#count >= this.#o.limit) {
      this.#more = true;
      return;
    }
    this.#count++;
    const to = this.#o.stream === "both" ? stream : "stdout";
    const name = attempt > 1 ? `${task}.${attempt}` : String(task);
    const bytes = Buffer.from(`${name.padStart(4)} | ${text}\n`);
    if (!this.#cli.output(to, bytes)) await this.#cli.io[to].drained();
  }
}

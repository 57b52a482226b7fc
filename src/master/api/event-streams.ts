// Who reads events at this master, and what is pushed to them all (docs/events.md, S3 … S6). One read of the archive, one
// look at the state and one piece of bytes for any number of readers; writes go out in slices, so that the loop is not
// held up by them.

import type { Position } from "../../protocol/outcome-stream.ts";
import { limits } from "../../protocol/limits.ts";
import { SkeinError } from "../../protocol/errors.ts";
import { isBefore } from "../archive/timeline-order.ts";
import type { Master } from "../context.ts";
import { look } from "../context.ts";
import { jobView } from "../views.ts";
import type { BodyStream } from "./body-stream.ts";
import { changed, chunkOf, message, tickOf } from "./event-messages.ts";
import { Changes, listTopics } from "./event-topics.ts";
import type { ListTopic, Wanted } from "./event-topics.ts";
import { Viewer } from "./event-viewer.ts";
import type { Overview } from "./overview.ts";

const pageRows = 500;
const tickMs = 1_000;
/** Between two pushes, and as much longer as there are readers. */
const pushMs = 100;
const pushMsPerViewer = 0.2;
/** Readers that are written to before other work passes. */
const slice = 50;

/** A value's bytes, by what it is of: a list, or a job's number. */
type Values = Map<ListTopic | number, Buffer>;

export class EventStreams {
  readonly #master: Master;
  readonly #overviews: Overview;
  readonly #viewers = new Set<Viewer>();
  #unwatch = () => {};
  #ticks: NodeJS.Timeout | undefined;
  #bell: NodeJS.Timeout | undefined;
  #pushing = false;
  #rung = false;
  #changes = new Changes();
  /** Up to here rows were pushed; undefined when nobody followed then. */
  #at: Position | undefined;

  constructor(master: Master, overviews: Overview) {
    this.#master = master;
    this.#overviews = overviews;
  }

  get size(): number {
    return this.#viewers.size;
  }

  /** From its place on this reader gets what it wants; returns what ends that. */
  add(body: BodyStream, wanted: Wanted, at: Position): () => void {
    const { archive } = this.#master;
    const viewer = new Viewer(
      {
        body,
        wanted,
        archive,
        pushed: () => this.#at,
        values: () => this.#present(wanted),
        failed: (error) => this.#master.log.warn("a stream of events is cut", { error }),
      },
      at,
    );
    this.#viewers.add(viewer);
    if (this.#viewers.size === 1) this.#start();
    viewer.goOn();
    return () => {
      this.#viewers.delete(viewer);
      if (this.#viewers.size === 0) this.stop();
    };
  }

  /** @throws SkeinError `overloaded` */
  checkRoom(): void {
    if (this.#viewers.size < limits.viewersMax) return;
    const text = `${limits.viewersMax} streams of events are read here already.`;
    throw new SkeinError("overloaded", text, { retryAfter: 5 });
  }

  /** What is so now, for one that begins, or has missed something. */
  async values(wanted: Wanted): Promise<readonly Buffer[]> {
    const overview = wanted.topics.has("overview") ? [await this.#overview()] : [];
    return [...(await this.#present(wanted)), ...overview];
  }

  stop(): void {
    this.#unwatch();
    clearInterval(this.#ticks);
    clearTimeout(this.#bell);
    this.#bell = undefined;
    this.#at = undefined;
  }

  #start(): void {
    this.#changes = new Changes();
    this.#unwatch = this.#master.hub.watch({
      onBatch: (effects) => {
        this.#changes.batch(effects);
        this.#ring();
      },
      onMissed: () => {
        this.#changes.all = true;
        this.#ring();
      },
    });
    this.#ticks = setInterval(() => void this.#tick().catch(this.#failed), tickMs);
  }

  #ring(): void {
    this.#rung = true;
    if (this.#bell !== undefined || this.#pushing) return;
    const ms = Math.max(pushMs, this.#viewers.size * pushMsPerViewer);
    this.#bell = setTimeout(() => {
      this.#bell = undefined;
      void this.#push();
    }, ms);
  }

  async #push(): Promise<void> {
    this.#pushing = true;
    this.#rung = false;
    try {
      const changes = this.#changes;
      this.#changes = new Changes();
      await this.#pushRows().catch((error: unknown) => {
        this.#failed(error);
        // Each finds by itself whether it can go on.
        for (const viewer of this.#viewers) viewer.goOn();
      });
      const values = await this.#valuesOf(changes);
      if (values.size > 0) await this.#toAll((viewer) => this.#give(viewer, values));
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#pushing = false;
      if (this.#rung) this.#ring();
    }
  }

  readonly #failed = (error: unknown): void => {
    this.#master.log.warn("events could not be pushed", { error });
  };

  async #pushRows(): Promise<void> {
    const followers = [...this.#viewers].filter(({ wanted }) => wanted.topics.has("timeline"));
    if (followers.length === 0) return;
    // Whoever stands elsewhere reads by itself.
    this.#at ??= followers.map(({ at }) => at).reduce((a, b) => (isBefore(a, b) ? a : b));
    for (let more = true; more;) {
      const from = this.#at;
      const { rows, through, floor } = await this.#master.archive.timelineAfter(from, pageRows);
      if (this.#at !== from) return; // all have left meanwhile
      this.#at = through;
      more = rows.length === pageRows;
      // What was pruned before it was read: each reader finds that by itself.
      const chunk = isBefore(from, floor)
        ? chunkOf(through, through, [])
        : chunkOf(from, through, rows);
      if (rows.length > 0 || isBefore(from, floor)) {
        await this.#toAll((viewer) => viewer.chunk(chunk));
      }
    }
  }

  // ── values ───────────────────────────────────────────────────────────────────────────────

  #give(viewer: Viewer, values: Values): void {
    for (const [of, bytes] of values) if (wants(viewer.wanted, of)) viewer.value(bytes);
  }

  /** Of what has changed and somebody wants. */
  async #valuesOf(changes: Changes): Promise<Values> {
    const wanted = [...this.#viewers].map((viewer) => viewer.wanted);
    const topics = listTopics.filter((topic) => wanted.some((one) => one.topics.has(topic)));
    const followed = new Set(wanted.flatMap(({ jobs }) => [...jobs]));
    const jobs = [...followed].filter((job) => changes.all || changes.jobs.has(job));
    if (topics.length + jobs.length === 0) return new Map();
    return look(this.#master, (state) => {
      const values: Values = new Map();
      for (const topic of topics) {
        const view = changes.of(topic, state);
        if (view) values.set(topic, changed(topic, view));
      }
      for (const number of jobs) {
        const job = state.jobs.get(number);
        if (job) values.set(number, message("job", jobView(job)));
      }
      return values;
    });
  }

  /** Lists are asked for anew; jobs that have left the state change no more. */
  #present({ topics, jobs }: Wanted): Promise<readonly Buffer[]> {
    return look(this.#master, (state) => {
      const view = { changed: [], all: true, index: state.index };
      const lists = listTopics.filter((topic) => topics.has(topic));
      const live = [...jobs].flatMap((number) => state.jobs.get(number) ?? []);
      return [
        ...lists.map((topic) => changed(topic, view)),
        ...live.map((job) => message("job", jobView(job))),
      ];
    });
  }

  async #overview(): Promise<Buffer> {
    return message("overview", await this.#overviews.brief());
  }

  async #tick(): Promise<void> {
    const tick = message("tick", tickOf(this.#master));
    await this.#toAll((viewer) => viewer.tick(tick));
    if (![...this.#viewers].some(({ wanted }) => wanted.topics.has("overview"))) return;
    const overview = await this.#overview();
    await this.#toAll((viewer) => {
      if (viewer.wanted.topics.has("overview")) viewer.value(overview);
    });
  }

  async #toAll(tell: (viewer: Viewer) => void): Promise<void> {
    let told = 0;
    for (const viewer of [...this.#viewers]) {
      if (viewer.over) continue;
      tell(viewer);
      if (++told % slice === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function wants({ topics, jobs }: Wanted, of: ListTopic | number): boolean {
  return typeof of === "number" ? jobs.has(of) : topics.has(of);
}

// Logs as a cluster keeps them: on this master, or on another (docs/logs.md). What the API asks.

import type { Log } from "../../lib/log.ts";
import { getFromPeer, peerLogPaths } from "../peer-http.ts";
import type {
  LinePlace,
  LinesPage,
  LinesQuery,
  LogAddress,
  LogBytes,
  LogExtent,
  LogLine,
  LogRead,
} from "./log-calls.ts";
import { comparePlaces } from "./log-calls.ts";
import type { LogStore } from "./log-store.ts";

export interface KeptLogsOptions {
  readonly store: LogStore;
  readonly token: string;
  /** Where other masters listen. */
  readonly others: () => readonly string[];
  readonly log: Log;
}

export interface GatheredLines extends LinesPage {
  /** Masters that did not answer. */
  readonly silent: readonly string[];
}

/** A master that answers at all answers within this. */
const beginMs = 1_500;

export class KeptLogs {
  readonly store: LogStore;
  readonly #o: KeptLogsOptions;

  constructor(options: KeptLogsOptions) {
    this.#o = options;
    this.store = options.store;
  }

  extent(address: LogAddress): Promise<LogExtent> {
    return this.store.extent(address);
  }

  /**
   * What follows a position: from here, else from another master that has it; else what comes next behind a hole.
   * Masters that do not answer are added to `silent`, and not asked again.
   */
  async next(ask: LogRead, silent: Set<string>): Promise<LogBytes | null> {
    let best = await this.store.read(ask);
    if (best && follows(best, ask)) return best;
    for (const address of this.#o.others()) {
      if (silent.has(address)) continue;
      try {
        best = better(best, await this.#fetch(address, ask));
        if (best && follows(best, ask)) return best;
      } catch (error) {
        silent.add(address);
        this.#o.log.info("a master did not answer for a log", { address, error });
      }
    }
    return best;
  }

  async lines(query: LinesQuery): Promise<GatheredLines> {
    const silent: string[] = [];
    const pages = await Promise.all([
      this.store.lines(query),
      ...this.#o.others().map((address) =>
        this.#fetchLines(address, query).catch(() => {
          silent.push(address);
          return { lines: [], upTo: null };
        }),
      ),
    ]);
    return { ...merge(pages, query.limit), silent };
  }

  async #fetch(address: string, ask: LogRead): Promise<LogBytes | null> {
    const answer = await this.#get(address, peerLogPaths.bytes, ask);
    if (answer === undefined) return null;
    const offset = Number(answer.headers["skein-log-offset"]);
    const end = answer.headers["skein-log-end"];
    const bytes = await collect(answer.body);
    return { offset, bytes, end: end === undefined ? null : Number(end) };
  }

  async #fetchLines(address: string, query: LinesQuery): Promise<LinesPage> {
    const answer = await this.#get(address, peerLogPaths.lines, query);
    if (answer === undefined) return { lines: [], upTo: null };
    return JSON.parse((await collect(answer.body)).toString()) as LinesPage;
  }

  async #get(address: string, path: string, ask: LogRead | LinesQuery) {
    const { token } = this.#o;
    const full = `${path}?ask=${encodeURIComponent(JSON.stringify(ask))}`;
    const answer = await getFromPeer(address, full, { token, beginMs });
    if (answer.status === 200) return answer;
    answer.body.on("error", () => {}); // what is left of it matters no more
    answer.body.destroy();
    // One of an older version keeps none.
    if (answer.status === 404) return undefined;
    throw new Error(`${address} answered ${path} with ${answer.status}`);
  }
}

/** The bytes that were asked for, or the word that there are none. */
function follows({ offset, bytes, end }: LogBytes, { from }: LogRead): boolean {
  return bytes.length > 0 ? offset === from : end !== null && end <= from;
}

function better(a: LogBytes | null, b: LogBytes | null): LogBytes | null {
  if (!a || !b) return a ?? b;
  const end = a.end ?? b.end;
  if (a.bytes.length === 0 || b.bytes.length === 0) {
    return { ...(a.bytes.length > 0 ? a : b), end };
  }
  return { ...(a.offset <= b.offset ? a : b), end };
}

/** Pages of several masters as one: what two of them have is there once. */
export function merge(pages: readonly LinesPage[], limit: number): LinesPage {
  const ends = pages.flatMap(({ upTo }) => (upTo ? [upTo] : []));
  const [bound] = ends.toSorted(comparePlaces);
  const all = pages
    .flatMap(({ lines }) => lines)
    .filter(({ place }) => !bound || comparePlaces(place, bound) <= 0)
    .toSorted((a, b) => comparePlaces(a.place, b.place));
  const lines: LogLine[] = [];
  let last: LinePlace | undefined;
  for (const line of all) {
    if (last && comparePlaces(line.place, last) === 0) continue;
    last = line.place;
    if (lines.length === limit) return { lines, upTo: lines.at(-1)?.place ?? null };
    lines.push(line);
  }
  return { lines, upTo: bound ?? null };
}

async function collect(body: AsyncIterable<unknown>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  // A stream without an encoding gives buffers.
  for await (const piece of body) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces);
}

/** What can be said on the command line of the demo? */
import { parseArgs } from "node:util";
import { REFERENCE_FRAMES_MAX, REFERENCE_SIZE } from "./reference.ts";
import { DEFAULT_FILM } from "./tasks-core.ts";
import type { FilmSettings } from "./tasks-core.ts";

export interface DemoOptions {
  readonly film: FilmSettings;
  readonly workers: number;
  readonly masters: number;
  readonly killLeader: boolean;
  /** Keep the cluster's data directory, to look at it afterwards. */
  readonly keep: boolean;
  readonly output: string;
}

export const usage = `npm run demo -- [--frames ${DEFAULT_FILM.frames}] [--size ${DEFAULT_FILM.size}] [--workers 2] [--masters 1 [--kill-leader]]
                    [--output out/film.gif] [--keep]

Renders a turntable film of a scanned bunny on a cluster of this machine's own, and kills a worker on the way.
  --frames N    frames in the film, 2 to ${REFERENCE_FRAMES_MAX}
  --size N      pixels a side, ${REFERENCE_SIZE} to 1024
  --workers N   worker processes, 2 to 16 (one of them is killed)
  --masters N   master processes, 1 to 7: one leads, the others stand by
  --kill-leader kill the master that leads too, some time after the worker
  --output F    where the film goes
  --keep        keep the cluster's data directory`;

export function parseOptions(args: readonly string[]): DemoOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      frames: { type: "string", default: String(DEFAULT_FILM.frames) },
      size: { type: "string", default: String(DEFAULT_FILM.size) },
      workers: { type: "string", default: "2" },
      masters: { type: "string" },
      "kill-leader": { type: "boolean", default: false },
      output: { type: "string", default: "out/film.gif" },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  const killLeader = values["kill-leader"];
  const masters = whole("--masters", values.masters ?? (killLeader ? "3" : "1"), 1, 7);
  if (killLeader && masters < 2) {
    throw new RangeError("--kill-leader needs --masters 2 or more: nobody else could lead");
  }
  return {
    film: {
      ...DEFAULT_FILM,
      frames: whole("--frames", values.frames, 2, REFERENCE_FRAMES_MAX),
      size: whole("--size", values.size, REFERENCE_SIZE, 1024),
    },
    masters,
    killLeader,
    workers: whole("--workers", values.workers, 2, 16),
    keep: values.keep,
    output: values.output,
  };
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${name} takes a whole number from ${least} to ${most}, not "${text}"`);
}

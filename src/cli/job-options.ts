// How a job is to be treated: the options that `run` and `map` share.

import { Option } from "commander";
import type { Command } from "commander";
import type { TaskNeeds } from "../sdk/define-task.ts";
import type { SubmitOptions } from "../sdk/spec.ts";
import { usageError } from "./errors.ts";
import { collected, jobArgument, pairs, wholeNumber } from "./options.ts";

export interface JobOptions {
  readonly queue?: string;
  readonly priority?: number;
  readonly key?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly needs?: Readonly<Record<string, string>>;
  readonly require?: Readonly<Record<string, string>>;
  readonly prefer?: Readonly<Record<string, string>>;
  readonly attempts?: number;
  readonly backoff?: string;
  readonly timeout?: string;
  readonly silence?: string;
  readonly queuedTimeout?: string;
  readonly delay?: string;
  readonly after?: readonly string[];
}

const group = "How it is treated:";

export function jobOptions(command: Command): Command {
  const option = (flags: string, text: string) => new Option(flags, text).helpGroup(group);
  return command
    .addOption(option("--queue <name>", 'the line it waits in; "default" unless set'))
    .addOption(
      option("--priority <n>", "-1000 to 1000, higher first").argParser(wholeNumber(-1_000, 1_000)),
    )
    .addOption(
      option("--needs <k=v...>", "cpu=2, memory=4GiB, gpu=1, or your own").argParser(pairs),
    )
    .addOption(option("--require <k=v...>", "labels its worker must have").argParser(pairs))
    .addOption(option("--prefer <k=v...>", "labels its worker had better have").argParser(pairs))
    .addOption(
      option("--attempts <n>", "tries in all; 1 unless set").argParser(wholeNumber(1, 1_000)),
    )
    .addOption(option("--backoff <time>", "before the second try; doubles; 1s unless set"))
    .addOption(option("--timeout <time>", "the longest run of one attempt: 90s, 10m"))
    .addOption(option("--silence <time>", "the longest time without output or progress"))
    .addOption(option("--queued-timeout <time>", "the longest wait before it starts"))
    .addOption(option("--delay <time>", "start no sooner than this"))
    .addOption(option("--after <job>", "only when that job has succeeded").argParser(collected))
    .addOption(option("--label <k=v...>", "labels of the job").argParser(pairs))
    .addOption(option("--key <text>", "the same key within 24 h gives the same job"));
}

export function toSubmitOptions(options: JobOptions): SubmitOptions {
  const { queue, priority, key, delay } = options;
  return {
    queue,
    priority,
    key,
    delay,
    labels: options.label,
    after: options.after?.map(jobArgument),
    needs: needsOf(options),
    timeouts: set({
      run: options.timeout,
      silence: options.silence,
      queued: options.queuedTimeout,
    }),
    retry: set({ attempts: options.attempts, backoff: options.backoff }),
  };
}

function needsOf({ needs = {}, require, prefer }: JobOptions): TaskNeeds | undefined {
  const { cpu, memory, gpu, ...others } = needs;
  const custom: Record<string, number> = {};
  for (const [name, text] of Object.entries(others)) custom[name] = number(name, text);
  return set({
    cpu: cpu === undefined ? undefined : number("cpu", cpu),
    // Without a unit it counts MiB.
    memory: memory === undefined || !/^\d+$/.test(memory) ? memory : Number(memory),
    gpu: gpu === undefined ? undefined : number("gpu", gpu),
    custom: Object.keys(custom).length > 0 ? custom : undefined,
    labels: set({ required: require, preferred: prefer }),
  });
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (text !== "" && Number.isFinite(value) && value >= 0) return value;
  throw usageError(`--needs: ${name}=${text} is no amount.`, "Write a number: cpu=2, gpu=1.");
}

type Set<T> = { readonly [Key in keyof T]?: Exclude<T[Key], undefined> };

/** What is given; undefined when nothing is. */
function set<T extends object>(values: T): Set<T> | undefined {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  // Object.fromEntries forgets which keys it was given.
  return given.length === 0 ? undefined : (Object.fromEntries(given) as Set<T>);
}

/** Takes down what clients ask and are told, and reads what workers have written. */
import { existsSync, readFileSync } from "node:fs";
import { now } from "./history.ts";
import type { Cancel, Operation, Read, RunLine, Seen, Submitted } from "./history.ts";

type Told<One extends Operation> = Omit<One, "kind" | "client" | "at" | "endedAt">;

export class Recorder {
  readonly #open = new Set<Operation>();
  readonly #done: Operation[] = [];

  /** What was asked and has no answer yet counts as unknown. */
  get operations(): readonly Operation[] {
    return [...this.#done, ...this.#open].toSorted((a, b) => a.at - b.at);
  }

  /** Begins a submit; call what it returns with the answer. */
  submit(
    client: string,
    asked: Pick<Submitted, "key" | "inputs">,
  ): (answer: Submitted["answer"]) => void {
    const { key, inputs } = asked;
    const answer = { kind: "unknown", why: "no answer before the end of the round" } as const;
    const open: Submitted = { kind: "submit", ...this.#asked(client), key, inputs, answer };
    this.#open.add(open);
    return (told) => this.#end(open, { ...open, answer: told });
  }

  /** Begins to cancel a job, or one task of it; call what it returns with the answer. */
  cancel(client: string, asked: Pick<Cancel, "job" | "task">): (answer: Cancel["answer"]) => void {
    const answer = { kind: "unknown", why: "no answer before the end of the round" } as const;
    const open: Cancel = { kind: "cancel", ...this.#asked(client), ...asked, answer };
    this.#open.add(open);
    return (told) => this.#end(open, { ...open, answer: told });
  }

  seen(client: string, at: number, told: Told<Seen>): void {
    this.#done.push({ kind: "seen", client, at, endedAt: now(), ...told });
  }

  read(client: string, at: number, told: Told<Read>): void {
    this.#done.push({ kind: "read", client, at, endedAt: now(), ...told });
  }

  #asked(client: string): { client: string; at: number; endedAt: null } {
    return { client, at: now(), endedAt: null };
  }

  #end(open: Operation, ended: Operation): void {
    if (!this.#open.delete(open)) return;
    this.#done.push({ ...ended, endedAt: now() });
  }
}

export function readRuns(file: string): RunLine[] {
  if (!existsSync(file)) return [];
  // What follows the last line end was cut off by a kill: that write never happened.
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => {
    const [what, job = "", task, attempt, fence, worker = "", pid, at, sum = "-"] = line.split(" ");
    const numbers = { task: Number(task), attempt: Number(attempt), fence: Number(fence) };
    const kind = what === "end" ? "end" : "start";
    const plain = {
      what: kind,
      job,
      ...numbers,
      worker,
      pid: Number(pid),
      at: Number(at),
    } as const;
    return sum === "-" ? plain : { ...plain, sum };
  });
}

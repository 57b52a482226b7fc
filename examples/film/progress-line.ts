/** How is a running job shown? One live line on a terminal, a line each tenth elsewhere. */
import type { JobProgress } from "skein";

export class ProgressLine {
  readonly #total: number;
  readonly #since = performance.now();
  readonly #live = process.stderr.isTTY;
  #tenth = -1;

  constructor(total: number) {
    this.#total = total;
  }

  show({ done, counts }: JobProgress): void {
    const seconds = (performance.now() - this.#since) / 1000;
    const rate = done / Math.max(seconds, 0.001);
    const left = rate > 0 ? (this.#total - done) / rate : Infinity;
    const text =
      `${done}/${this.#total} done · ${counts.assigned} running · ${counts.failed} failed · ` +
      `${rate.toFixed(1)}/s · ${Number.isFinite(left) ? `${Math.ceil(left)} s left` : "…"}`;
    if (this.#live) process.stderr.write(`\r\x1b[2K${text}`);
    else if (Math.floor((done * 10) / this.#total) > this.#tenth) {
      this.#tenth = Math.floor((done * 10) / this.#total);
      process.stderr.write(`${text}\n`);
    }
  }

  /** Something else to say; the line goes on below it. */
  note(text: string): void {
    process.stderr.write(this.#live ? `\r\x1b[2K${text}\n` : `${text}\n`);
  }

  end(): void {
    if (this.#live) process.stderr.write("\n");
  }
}

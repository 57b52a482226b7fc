// skein doctor: what commonly goes wrong, looked for on this machine and in the cluster.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { exitCodes } from "../exit-codes.ts";
import { plural } from "../format.ts";
import { clusterOptions, described, jsonOption } from "../options.ts";
import { worstOf } from "../doctor/finding.ts";
import type { Finding, Level } from "../doctor/finding.ts";
import type { DoctorOptions } from "../doctor/examine.ts";
import { widthOf } from "../style.ts";
import type { Style } from "../style.ts";

export function defineDoctor(doctor: Command, cli: Cli): void {
  const text =
    "What commonly goes wrong, looked for on this machine and in the cluster: what, why, what to do.\n" +
    "Ends with 1 when something is bad. Without a cluster only this machine is looked at.";
  described(doctor, text, [
    "skein doctor",
    "skein doctor --backup /backups",
    "skein doctor --json | jq -r '.checks[] | select(.level == \"bad\") | .todo'",
  ]);
  clusterOptions(
    jsonOption(doctor).option("--backup <path>", "your backups: a file, or a folder of them"),
  ).action(async (options: DoctorOptions) => {
    const { examine } = await import("../doctor/examine.ts");
    if (!options.json) cli.progress("looking …");
    const { findings, localOnly } = await examine(options, cli.io);
    cli.progress("");
    const level = worstOf(findings);
    if (level === "bad") cli.exitCode = exitCodes.failed;
    if (options.json) {
      return cli.json({ level, localOnly: localOnly ?? null, checks: findings });
    }
    cli.print(page(findings, localOnly, cli));
  });
}

function page(findings: readonly Finding[], localOnly: string | undefined, cli: Cli): string {
  const style = cli.out;
  const width = cli.io.stdout.columns ?? Infinity;
  const head = style.bold(verdictOf(findings));
  const only = localOnly === undefined ? "" : `This machine only: ${localOnly}\n`;
  const column = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap((finding) => linesOf(finding, column, width, style));
  return `${head}\n${only}\n${lines.map((line) => `${line}\n`).join("")}`;
}

function verdictOf(findings: readonly Finding[]): string {
  const of = (level: Level) => findings.filter((one) => one.level === level).length;
  const [bads, warns] = [of("bad"), of("warn")];
  if (bads + warns === 0) return `All is well in ${plural(of("ok"), "check")}.`;
  const parts = [
    bads > 0 ? `${plural(bads, "thing is bad", "things are bad")}` : "",
    warns > 0 ? `${plural(warns, "thing wants", "things want")} a look` : "",
  ];
  return `${parts.filter((part) => part !== "").join(", ")}.`;
}

const words: Readonly<Record<Level, string>> = {
  ok: "ok",
  warn: "warn",
  bad: "bad",
  unknown: "?",
};

function linesOf(finding: Finding, column: number, width: number, style: Style): string[] {
  const { check, level, what, why, todo } = finding;
  const paints = { ok: style.green, warn: style.yellow, bad: style.red, unknown: style.dim };
  const indent = column + 8;
  const block = (name: string, text: string | undefined) =>
    (text ?? "")
      .split("\n")
      .filter((line) => line !== "")
      .flatMap((line, i) => {
        const label = i === 0 ? style.dim(name) : " ".repeat(name.length);
        return wrapped(line, width - indent - 5).map(
          (part, k) => " ".repeat(indent) + (k === 0 ? label : "    ").padEnd(4) + ` ${part}`,
        );
      });
  const [first = "", ...more] = wrapped(what, width - indent);
  return [
    `${paints[level](words[level].padEnd(4))}  ${check.padEnd(column)}  ${first}`,
    ...more.map((part) => " ".repeat(indent) + part),
    ...block("why ", why),
    ...block("do  ", todo),
  ];
}

/** Cut at spaces where that fits; a word that is wider stands alone, so that it can be copied. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && widthOf(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

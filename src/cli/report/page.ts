// A report as one page: nothing in it comes from elsewhere, and its own policy forbids it to.

import { createHash } from "node:crypto";
import type { ErrorGroupsView, JobView } from "../../client/index.ts";
import { version } from "../../lib/version.ts";
import { pictureStates } from "../../protocol/picture-states.ts";
import { between, count, duration, plural, shortId } from "../format.ts";
import { attemptsOf, percentile, slowest, verdictOf, workerShares } from "./facts.ts";
import type { Facts } from "./facts.ts";
import { gridPicture } from "./grid-picture.ts";
import { markup, Html, jsonData, named, visible } from "./html.ts";
import { look } from "./look.ts";
import { script } from "./script.ts";
import { streamPicture, tenth } from "./stream-picture.ts";
import type { Picture } from "./stream-picture.ts";

const slowestShown = 10;
const workersShown = 50;
const groupsShown = 20;
const messageMax = 4_000;

/** States in words for people. */
export const stateWords = pictureStates.map((state) =>
  state === "given_back"
    ? "given back unstarted"
    : state === "backoff"
      ? "waits to try again"
      : state,
);

export function reportPage(facts: Facts): string {
  const { job, stream, grid } = facts;
  const streamDrawn = streamPicture(stream);
  const gridDrawn = gridPicture(grid);
  const title = `${visible(job.task)} ${shortId(job.id)}: ${job.state}`;
  const body = markup`${head(facts)} ${figures(facts)}
    <section>
      <h2>Task stream</h2>
      <p class="soft">${stream.verdict}${shades(facts)}</p>
      ${stream.total === 0 ? undefined : streamDrawn.svg}${legend(streamDrawn)}
    </section>
    <section>
      <h2>Every task</h2>
      <p class="soft">${gridText(facts)}</p>
      ${grid.tasks === 0 ? undefined : gridDrawn.svg}${legend(gridDrawn)}
    </section>
    ${errors(job, facts.errors)} ${slow(facts)}
    <div class="columns">${workers(facts)}${spec(job)}</div>`;
  const data = { words: stateWords, "stream-data": streamDrawn.data, "grid-data": gridDrawn.data };
  const blocks = Object.entries(data).map(
    ([id, value]) =>
      markup`<script type="application/json" id="${id}">${jsonData(value)}</script>\n`,
  );
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${hashOf(look)}'; script-src '${hashOf(script)}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="skein ${version}">
<title>${title}</title>
<style>${new Html(look)}</style>
</head>
<body>
<main>
${body}
<footer>${footer(facts)}</footer>
</main>
<div id="tip" hidden></div>
${blocks}<script>${new Html(script)}</script>
</body>
</html>
`.text;
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

// ── the head ─────────────────────────────────────────────────────────────────────────────

function head({ job, errors: groups }: Facts): Html {
  return markup`<header>
    <div class="head">
      <h1>${named(job.task)}</h1>
      <span class="pill t-${job.state}"><i></i>${job.state}</span>
    </div>
    <p class="verdict">${verdictOf(job, groups)}</p>
    <p class="soft">
      Job <code>${job.id}</code> in queue ${named(job.queue)}, created ${moment(job.created)}
    </p>
  </header>`;
}

function moment(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}

function figures({ job, stream, at }: Facts): Html {
  const { tasks } = job;
  const sorted = (attemptsOf(stream) ?? [])
    .filter(({ state }) => state === "succeeded")
    .map(({ ms }) => ms)
    .toSorted((a, b) => a - b);
  const waited = between(job.created, job.started, at);
  const shown: readonly (readonly [string, string])[] = [
    [count(tasks), tasks === 1 ? "task" : "tasks"],
    [between(job.started, job.ended, at) || "none", job.ended === null ? "so far" : "took"],
    [waited || "none", job.started === null ? "not started yet" : "until it started"],
    [duration(job.runMs), "run time in all"],
    [count(job.attempts), `attempts${lostText(job)}`],
    ...(sorted.length > 1
      ? [
          [duration(percentile(sorted, 0.5)), "median run time"] as const,
          [duration(percentile(sorted, 0.99)), "99 % ran no longer"] as const,
        ]
      : []),
  ];
  const items = shown.map(
    ([value, what]) => markup`<div><b>${value}</b><span>${what}</span></div>`,
  );
  return markup`<section>
    <div class="figures">${items}</div>
    ${share(job)}
  </section>`;
}

function lostText({ attemptsLost }: JobView): string {
  return attemptsLost === 0 ? "" : `, ${count(attemptsLost)} lost`;
}

const order = [
  "succeeded",
  "failed",
  "cancelled",
  "assigned",
  "ready",
  "backoff",
  "waiting",
] as const;

/** The counts as one bar. */
function share({ counts, tasks }: JobView): Html | undefined {
  if (tasks === 0) return undefined;
  let x = 0;
  const parts = order.flatMap((state) => {
    const n = counts[state];
    if (n === 0) return [];
    // What there is a little of is to be seen.
    const wide = Math.max(4, (n / tasks) * 1_000);
    const part = markup`<rect class="s-${state}" x="${tenth(x)}" width="${tenth(wide)}" height="12"
      ><title>${count(n)} ${state}</title></rect
    >`;
    x += wide;
    return [part];
  });
  const words = order.filter((state) => counts[state] > 0);
  const items = words.map(
    (state) => markup`<span><i class="s-${state}"></i>${count(counts[state])} ${state}</span>`,
  );
  return markup`<svg
      class="share"
      viewBox="0 0 ${tenth(x)} 12"
      preserveAspectRatio="none"
      role="img"
      aria-label="Tasks by state"
    >
      ${parts}
    </svg>
    <div class="legend">${items}</div>`;
}

function legend({ states }: Picture): Html | undefined {
  if (states.length === 0) return undefined;
  const items = states.map((state) => {
    const word = stateWords[pictureStates.findIndex((one) => one === state)] ?? state;
    return markup`<span><i class="s-${state}"></i>${word}</span>`;
  });
  return markup`<div class="legend">${items}</div>`;
}

/** Cells are no bars: what their shade says. */
function shades({ stream }: Facts): string {
  if (!stream.cells) return "";
  const what = `${count(stream.total)} attempts, in cells of ${duration(stream.cells.ms)}`;
  return ` ${what}: the darker, the nearer to the most that ran there at once.`;
}

function gridText({ grid }: Facts): string {
  if (grid.tasks === 0) return "The job has no tasks.";
  if (grid.perCell === 1) return "A square is a task, in the order of the inputs.";
  const each = `A square stands for ${count(grid.perCell)} tasks, in the order of the inputs`;
  return `${each}, and shows the one that needs a look most.`;
}

// ── errors, slow tasks ───────────────────────────────────────────────────────────────────

function errors({ id }: JobView, { groups, looked, partial }: ErrorGroupsView): Html | undefined {
  if (groups.length === 0) return undefined;
  const items = groups.slice(0, groupsShown).map((group) => {
    const { task, attempt, worker, at } = group.first;
    const message =
      group.message.slice(0, messageMax) + (group.message.length > messageMax ? " …" : "");
    const logs = `skein logs ${shortId(id)}/${task} --attempt ${attempt}`;
    return markup`<div class="error">
      <b>${count(group.count)} ×</b>
      <div>
        <pre>${message || group.reason}</pre>
        <p class="soft">
          ${group.reason}, first in task ${task}, attempt ${attempt} on ${named(worker)} at
          ${moment(at)}. Its logs: <code>${logs}</code>
        </p>
      </div>
    </div>`;
  });
  const parts = [
    `${plural(looked, "failed attempt")}, those that are alike together.`,
    groups.length > groupsShown
      ? `The ${groupsShown} largest of ${count(groups.length)} groups.`
      : "",
    partial ?? "",
  ];
  return markup`<section>
    <h2>Errors</h2>
    <p class="soft">${parts.filter((part) => part !== "").join(" ")}</p>
    ${items}
  </section>`;
}

function slow({ stream, job }: Facts): Html | undefined {
  const attempts = attemptsOf(stream);
  if (!attempts) {
    const many = `${count(stream.total)} attempts are too many to be told one by one here, so the slowest are not listed.`;
    return markup`<section>
      <h2>Slowest tasks</h2>
      <p class="soft">${many}</p>
    </section>`;
  }
  const found = slowest(attempts, slowestShown);
  if (found.length < 2) return undefined;
  const most = found[0]?.ms ?? 1;
  const rows = found.map(
    (one) =>
      markup`<tr>
        <td class="mono">${shortId(job.id)}/${one.task}</td>
        <td class="n">${one.attempt}</td>
        <td>${named(one.worker)}</td>
        <td>${one.state === "given_back" ? "given back" : one.state}</td>
        <td class="n">${duration(one.start)}</td>
        <td class="n">${duration(one.ms)}</td>
        ${meter(one.ms / most, one.state)}
      </tr>`,
  );
  return markup`<section>
    <h2>Slowest tasks</h2>
    <table>
      <thead>
        <tr>
          <th>Task</th>
          <th class="n">Attempt</th>
          <th>Worker</th>
          <th>End</th>
          <th class="n">Began after</th>
          <th class="n">Ran</th>
          <th></th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </section>`;
}

function meter(part: number, state: string): Html {
  const wide = tenth(Math.max(0.5, Math.min(1, part) * 100));
  return markup`<td class="bar">
    <svg viewBox="0 0 100 9" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="9" />
      <rect class="s-${state}" width="${wide}" height="9" />
    </svg>
  </td>`;
}

// ── workers, spec ────────────────────────────────────────────────────────────────────────

function workers({ stream }: Facts): Html {
  const shares = workerShares(stream);
  if (shares.length === 0) {
    return markup`<section>
      <h2>Workers</h2>
      <p class="soft">No worker ran any of it.</p>
    </section>`;
  }
  const most = Math.max(1, shares[0]?.busyMs ?? 1);
  const known = shares[0]?.attempts !== undefined;
  const rows = shares.slice(0, workersShown).map((one) => {
    const bad = (one.failed ?? 0) + (one.lost ?? 0);
    const cells = known
      ? markup`<td class="n">${count(one.attempts ?? 0)}</td>
          <td class="n${bad > 0 ? " t-failed" : ""}">${count(bad)}</td>`
      : undefined;
    return markup`<tr>
      <td>${named(one.worker)}</td>
      ${cells}
      <td class="n">${duration(one.busyMs)}</td>
      ${meter(one.busyMs / most, "running")}
    </tr>`;
  });
  const columns = known
    ? markup`<th class="n">Attempts</th>
        <th class="n">Failed or lost</th>`
    : undefined;
  const more =
    shares.length > workersShown
      ? markup`<p class="soft">The busiest ${workersShown} of ${count(shares.length)}.</p>`
      : undefined;
  return markup`<section>
    <h2>Workers</h2>
    ${more}
    <table>
      <thead>
        <tr>
          <th>Worker</th>
          ${columns}
          <th class="n">Busy</th>
          <th></th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </section>`;
}

function spec(job: JobView): Html {
  const pairs: readonly (readonly [string, Html | string | undefined])[] = [
    ["Task", markup`${named(job.task)} (${job.kind})`],
    ["Queue", markup`${named(job.queue)}${job.priority === 0 ? "" : `, priority ${job.priority}`}`],
    ["Labels", labels(job)],
    ["Submitted by", markup`${named(job.by)}`],
    ["Created", moment(job.created)],
    ["Started", job.started === null ? "not yet" : moment(job.started)],
    ["Ended", job.ended === null ? "not yet" : moment(job.ended)],
    ["After", job.after.map(({ job: id, mode }) => `${shortId(id)} (${mode})`).join(", ")],
    ["Parent", job.parent ?? ""],
    ["Retry of", job.retryOf === null ? "" : shortId(job.retryOf)],
  ];
  const items = pairs.flatMap(([name, value]) =>
    value === "" || value === undefined
      ? []
      : [
          markup`<dt>${name}</dt>
            <dd>${value}</dd>`,
        ],
  );
  return markup`<section>
    <h2>Job</h2>
    <dl>${items}</dl>
    <details>
      <summary>As JSON</summary>
      <pre>${JSON.stringify(job, null, 2)}</pre>
    </details>
  </section>`;
}

function labels({ labels: all }: JobView): Html | undefined {
  const pairs = Object.entries(all);
  if (pairs.length === 0) return undefined;
  return markup`${pairs.map(([name, value]) => markup`<code>${named(`${name}=${value}`)}</code> `)}`;
}

function footer({ job, at }: Facts): string {
  const made = `Made by skein ${version} on ${moment(new Date(at).toISOString())}`;
  const live =
    job.ended === null ? " while the job was not ended: run it again for the rest." : ".";
  return `${made}${live} This file needs no network.`;
}

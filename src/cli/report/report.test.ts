import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fakeCluster, fakeJob, problem } from "../fakes.fixture.ts";
import { plainText } from "../style.ts";
import type { Facts } from "./facts.ts";
import { largeFacts, smallFacts } from "./facts.fixture.ts";
import { jsonData, markup, visible } from "./html.ts";
import { reportPage } from "./page.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "skein-report-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const id = "4f2a91c0d1e2f3a4";

function cluster({ job, stream, grid, errors }: Facts = smallFacts()) {
  return fakeCluster({
    "GET /v1/jobs/4f2a": () => job,
    [`GET /v1/jobs/${id}/stream`]: () => stream,
    [`GET /v1/jobs/${id}/grid`]: () => grid,
    [`GET /v1/jobs/${id}/errors`]: () => errors,
  });
}

describe("skein job report", () => {
  test("writes one file and says where", async () => {
    await using fake = await cluster();
    const file = join(dir, "night.html");
    const env = { HOME: dir };
    const { code, stdout, stderr } = await fake.run(`job report 4f2a ${file}`, { env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toMatch(/^✔ ~\/night\.html: 1,000 tasks, \d+ KiB\. Open it in a browser\.\n$/);
    expect(await readFile(file, "utf8")).toMatch(/^<!doctype html>[^]*<\/html>\n$/);
    const ascii = await fake.run(`job report 4f2a ${file} --ascii`, { columns: 80 });
    expect(plainText(ascii.stderr)).toMatch(/^ok /);
    const plain = await fake.run(`job report 4f2a ${file}`, {
      columns: 80,
      env: { NO_COLOR: "1" },
    });
    expect(plain.stderr).toMatch(/^✔ /);
  });

  test("says with --json what it wrote, and with - writes to stdout", async () => {
    await using fake = await cluster();
    const file = join(dir, "json.html");
    const { stdout } = await fake.run(`job report 4f2a ${file} --json`);
    const { length } = await readFile(file);
    expect(JSON.parse(stdout)).toEqual({ apiVersion: "skein/v1", file, bytes: length, job: id });
    const piped = await fake.run("job report 4f2a -");
    expect(piped).toMatchObject({ code: 0, stderr: "" });
    expect(piped.stdout).toBe(await readFile(file, "utf8"));
  });

  test("of no such job, or into no such folder, fails as other commands do", async () => {
    await using fake = await fakeCluster({
      "GET /v1/jobs/9999": () => problem("not_found", "There is no job 9999."),
    });
    expect(await fake.run(`job report 9999 ${join(dir, "x.html")}`)).toMatchObject({ code: 3 });
    await using other = await cluster();
    const nowhere = join(dir, "nowhere", "x.html");
    expect(await other.run(`job report 4f2a ${nowhere}`)).toMatchObject({ code: 2 });
  });
});

describe("the page", () => {
  const page = reportPage(smallFacts());

  test("tells how it ended, what failed, what was slow, and who worked", () => {
    const text = page.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
    expect(text).toContain("3 of 1,000 failed. Most often: RangeError: frame 18 is outside 1..17.");
    expect(text).toContain("21 % idle: 2 stragglers on w3, w5");
    expect(text).toContain("2 × RangeError: frame 18 is outside 1..17 at render (render.ts:12:9)");
    expect(text).toContain("Its logs: skein logs 4f2a91c0/17 --attempt 1");
    expect(text).toMatch(/Slowest tasks .* 4f2a91c0\/700 1 w1 succeeded 4\.\d s 3\.4 s/);
    expect(text).toMatch(/ w2 \d+ 3 \d+ s /);
    expect(text).toContain("shot=42");
  });

  test("needs nothing from elsewhere, and its own policy forbids it", () => {
    expect(page).not.toMatch(/https?:|\bsrc=|\bhref=|@import|url\(|\bon[a-z]+=/);
    const scripts = [...page.matchAll(/<script>([^]*?)<\/script>/g)].map(([, text]) => text ?? "");
    const styles = [...page.matchAll(/<style>([^]*?)<\/style>/g)].map(([, text]) => text ?? "");
    expect([scripts.length, styles.length]).toEqual([1, 1]);
    const hash = (text = "") => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
    expect(page).toContain(
      `content="default-src 'none'; style-src ${hash(styles[0])}; script-src ${hash(scripts[0])}"`,
    );
  });

  test("shows whatever a name holds as text", () => {
    const evil = `</script><script>alert(1)</script> \u001b[31m🎬 \u202eשלום "a"&'b' \u0085`;
    const facts = smallFacts(evil);
    const [group] = facts.errors.groups;
    const lanes = [{ worker: evil, slot: 0 }, ...facts.stream.lanes.slice(1)];
    const shown = reportPage({
      ...facts,
      job: { ...facts.job, queue: evil, by: evil, labels: { [evil]: evil } },
      stream: { ...facts.stream, lanes, verdict: evil },
      errors: {
        groups: group ? [{ ...group, message: evil, first: { ...group.first, worker: evil } }] : [],
        looked: 1,
        partial: evil,
      },
    });
    expect(shown).not.toContain("<script>alert");
    expect(shown.replaceAll(/[\t\n]/g, "")).not.toMatch(/[\p{Cc}\u202a-\u202e]/u);
    expect(shown).toContain(
      "<bdi>&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; ␛[31m🎬 ⟨U+202E⟩שלום &quot;a&quot;&amp;&#39;b&#39; ⟨U+0085⟩</bdi>",
    );
    const data = /id="stream-data">([^]*?)<\/script>/.exec(shown)?.[1] ?? "";
    expect(JSON.parse(data)).toMatchObject({ names: expect.arrayContaining([visible(evil)]) });
  });

  test("of a million tasks, or of as many attempts as are told one by one, stays below 3 MB", () => {
    expect(reportPage(largeFacts(1_000)).length).toBeLessThan(3_000_000);
    const facts = smallFacts();
    const many = Array.from({ length: 50_000 }, (_, i) => i);
    const bars = {
      lane: many.map((i) => i % 200),
      task: many.map((i) => 900_000 + i),
      attempt: many.map((i) => 1 + (i % 3)),
      start: many.map((i) => Math.floor(i / 200) * 4_001.3),
      end: many.map((i) => Math.floor(i / 200) * 4_001.3 + 3_333.3 + (i % 7)),
      state: many.map((i) => 5 + (i % 4)),
    };
    const lanes = Array.from({ length: 200 }, (_, i) => ({
      worker: `worker-${i >> 2}`,
      slot: i & 3,
    }));
    const stream = { ...facts.stream, to: facts.stream.from + 1_000_000, lanes, bars };
    expect(reportPage({ ...facts, stream }).length).toBeLessThan(3_000_000);
  });

  test("of a job that has not begun says so", () => {
    const { job, stream, grid } = smallFacts();
    const text = reportPage({
      job: fakeJob({ ...job, state: "open", tasks: 0, started: null, ended: null }),
      stream: { ...stream, lanes: [], bars: null, total: 0, verdict: "Nothing ran in this time." },
      grid: { ...grid, tasks: 0, states: "" },
      errors: { groups: [], looked: 0, partial: null },
      at: Date.parse("2026-11-20T12:00:00.000Z"),
    });
    expect(text).toContain("Nothing ran in this time.");
    expect(text).toContain("No worker ran any of it.");
    expect(text).toContain("run it again for the rest");
  });
});

test("a value in a template is text unless a template made it", () => {
  const inner = markup`<i>${"<"}</i>`;
  expect(markup`<b a="${'"'}">${inner}${[inner, inner]}${undefined}${7}</b>`.text).toBe(
    '<b a="&quot;"><i>&lt;</i><i>&lt;</i><i>&lt;</i>7</b>',
  );
  expect(markup`${"\ud800 \u2067"}`.text).toBe("\ufffd ⟨U+2067⟩");
  expect(jsonData({ a: "</script>\u2028" }).text).toBe('{"a":"\\u003c/script\\u003e\\u2028"}');
});

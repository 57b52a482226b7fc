import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { counts, fakeCluster, fakeWorker, run } from "../fakes.fixture.ts";
import type { FakeRoutes } from "../fakes.fixture.ts";
import { plainText } from "../style.ts";
import * as cluster from "./cluster-checks.ts";
import { fakeMaster, fakeOverview, fakeStatus, wellRoutes } from "./cluster.fixture.ts";
import { worstOf } from "./finding.ts";
import type { Finding, Level } from "./finding.ts";
import * as local from "./local-checks.ts";
import * as machine from "./machine.ts";

const gib = 2 ** 30;
const place = {
  dir: "/data",
  exists: true,
  writable: true,
  fileSystem: 0xef53,
  freeBytes: 50 * gib,
  totalBytes: 100 * gib,
};
const token = { path: "/data/token", mode: 0o100600, inEnvironment: false };
const wide = {
  cpus: 8,
  memoryBytes: 16 * gib,
  cgroupCpus: undefined,
  cgroupMemoryBytes: undefined,
};
const home = "http://127.0.0.1:7420";
const reached = { address: home, ms: 3, clockMs: 200 };
const silent = { address: "http://m2:7420", ms: undefined, why: "connection refused" };
const worker = fakeWorker({ version: "0.1.0" });
const master = fakeMaster({ version: "0.1.0" });
const versions = {
  own: { version: "0.1.0", protocol: 1 },
  cluster: { version: "0.1.0", protocol: 1 },
  masters: [master],
  workers: [worker],
};
const journal = { id: "j", engine: "sqlite", index: 2_000_000, trimmed: 0, bytes: 1 };
const twoMasters = (more: object) => ({
  items: [master, fakeMaster({ id: "m2", ...more })],
  term: 1,
  survives: "Can lose 1 of 2.",
});
const attention = (level: "warn" | "bad") => ({
  attention: [{ level, text: "The journal is 85 % full.", hint: "Make room.", link: null }],
});

type Row = readonly [name: string, made: Finding, level: Level, what: string];

const rows: readonly Row[] = [
  ["a new Node", local.checkNode("v20.19.0"), "ok", "v20.19.0"],
  ["an old Node", local.checkNode("v20.18.3"), "bad", "v20.18.3 is too old"],
  ["a local directory", local.checkDataDir(place), "ok", "/data"],
  [
    "a directory on NFS",
    local.checkDataDir({ ...place, fileSystem: 0x6969 }),
    "bad",
    "/data is on NFS",
  ],
  [
    "a directory of someone else",
    local.checkDataDir({ ...place, writable: false }),
    "bad",
    "/data cannot be written",
  ],
  ["room on the disk", local.checkDiskFree(place), "ok", "50 GiB of 100 GiB free at /data"],
  [
    "little room",
    local.checkDiskFree({ ...place, freeBytes: gib }),
    "warn",
    "1.0 GiB of 100 GiB free at /data",
  ],
  [
    "a full disk",
    local.checkDiskFree({ ...place, freeBytes: 1_000_000 }),
    "bad",
    "977 KiB of 100 GiB free at /data",
  ],
  ["a fast disk", local.checkDiskSpeed(0.4), "ok", "an fsync takes under 1 ms"],
  ["a slow disk", local.checkDiskSpeed(60), "warn", "an fsync takes 60 ms"],
  ["a very slow disk", local.checkDiskSpeed(400), "bad", "an fsync takes 0.4 s"],
  [
    "a disk that cannot be written",
    local.checkDiskSpeed(undefined),
    "unknown",
    "nothing could be written to measure it",
  ],
  ["a token of its owner's", local.checkToken(token), "ok", "/data/token is its owner's alone"],
  [
    "a token that all can read",
    local.checkToken({ ...token, mode: 0o100644 }),
    "bad",
    "/data/token has mode 0644",
  ],
  [
    "no token yet",
    local.checkToken({ ...token, mode: undefined }),
    "ok",
    "none yet: the first master makes it",
  ],
  ["many files", local.checkOpenFiles(65_536), "ok", "at most 65536"],
  ["few files", local.checkOpenFiles(1_024), "warn", "at most 1024"],
  ["very few files", local.checkOpenFiles(128), "bad", "at most 128"],
  ["memory without a limit", local.checkMemory(wide), "ok", "16 GiB, a worker offers 13 GiB"],
  [
    "a cgroup with less memory than a worker offers",
    local.checkMemory({ ...wide, cgroupMemoryBytes: 2 * gib }),
    "warn",
    "a worker would offer 13 GiB, its cgroup allows 2.0 GiB",
  ],
  ["cpus without a limit", local.checkCpu(wide), "ok", "8 cpus"],
  [
    "a cgroup with fewer cpus",
    local.checkCpu({ ...wide, cgroupCpus: 1.5 }),
    "warn",
    "a worker would offer 8 cpus, its cgroup allows 1.5",
  ],
  [
    "names that resolve",
    local.checkNames([{ name: "localhost", addresses: ["127.0.0.1", "::1"] }]),
    "ok",
    "localhost resolve",
  ],
  [
    "a name without an address",
    local.checkNames([{ name: "m2", addresses: [] }]),
    "bad",
    "no address for m2",
  ],
  [
    "a localhost that is elsewhere",
    local.checkNames([{ name: "localhost", addresses: ["10.0.0.1"] }]),
    "bad",
    "localhost is 10.0.0.1",
  ],
  ["a free port", local.checkPort(7420, "nobody"), "ok", "7420 is free"],
  ["a master's port", local.checkPort(7420, "skein"), "ok", "a master listens at 7420"],
  ["a taken port", local.checkPort(7420, "another"), "warn", "another program listens at 7420"],
  ["loopback", local.checkLoopback(undefined), "ok", "this machine reaches itself"],
  [
    "a closed loopback",
    local.checkLoopback("no answer in time"),
    "bad",
    "127.0.0.1 does not answer: no answer in time",
  ],
  ["no proxy", local.checkProxy({}, [home]), "ok", "none is set"],
  [
    "a proxy that is not used",
    local.checkProxy({ HTTP_PROXY: "http://p:3128" }, [home]),
    "ok",
    "HTTP_PROXY is set; Skein goes to its masters directly",
  ],
  [
    "a proxy that is used",
    local.checkProxy({ HTTP_PROXY: "http://p:3128", NODE_USE_ENV_PROXY: "1" }, [home]),
    "warn",
    "HTTP_PROXY is used for masters",
  ],
  ["masters that answer", cluster.checkReach([reached]), "ok", "1 master answers within 3 ms"],
  [
    "a master that does not",
    cluster.checkReach([reached, silent]),
    "warn",
    "1 master of 2 not reached from here",
  ],
  ["no master", cluster.checkReach([silent]), "bad", "no master answers from here"],
  ["a leader", cluster.checkLeader(fakeStatus()), "ok", "m1 leads in term 1"],
  ["no leader", cluster.checkLeader({ leader: null }), "bad", "nobody leads"],
  [
    "standbys",
    cluster.checkStandbys(twoMasters({ state: "standing by" })),
    "ok",
    "Can lose 1 of 2.",
  ],
  [
    "a standby that is away",
    cluster.checkStandbys(twoMasters({ state: "away" })),
    "warn",
    "m2 is away",
  ],
  [
    "clocks together",
    cluster.checkMasterClocks(twoMasters({ clockMs: -12 })),
    "ok",
    "up to 12 ms apart",
  ],
  [
    "clocks apart",
    cluster.checkMasterClocks(twoMasters({ clockMs: -4_000 })),
    "warn",
    "up to 4.0 s apart",
  ],
  [
    "clocks far apart",
    cluster.checkMasterClocks(twoMasters({ clockMs: 60_000 })),
    "bad",
    "up to 1m 0s apart",
  ],
  ["a right clock", cluster.checkOwnClock([reached]), "ok", "agrees with the masters'"],
  [
    "a wrong clock",
    cluster.checkOwnClock([{ ...reached, clockMs: 90_000 }]),
    "warn",
    "1m 30s behind a master's",
  ],
  ["masters without a date", cluster.checkOwnClock([silent]), "unknown", "no master told its time"],
  ["one version", cluster.checkVersions(versions), "ok", "all are 0.1.0"],
  [
    "two versions",
    cluster.checkVersions({ ...versions, workers: [fakeWorker({ version: "0.0.9" })] }),
    "warn",
    "2 versions are at work",
  ],
  [
    "another protocol",
    cluster.checkVersions({ ...versions, own: { version: "1.0.0", protocol: 2 } }),
    "bad",
    "this program speaks protocol 2, the cluster 1",
  ],
  ["workers", cluster.checkWorkers([worker], fakeStatus()), "ok", "1 active"],
  [
    "a worker that was lost",
    cluster.checkWorkers([worker, fakeWorker({ id: "w2", state: "lost" })], fakeStatus()),
    "warn",
    "w2 (lost); 1 active",
  ],
  ["no workers, and no work", cluster.checkWorkers([], fakeStatus()), "warn", "none is there"],
  [
    "work without workers",
    cluster.checkWorkers([], { tasks: counts({ ready: 3 }) }),
    "bad",
    "none is active",
  ],
  ["workers both ways", cluster.checkWorkerReach([worker], []), "ok", "both ways open"],
  [
    "a worker without a session",
    cluster.checkWorkerReach([fakeWorker({ connected: false })], []),
    "warn",
    "laptop not connected",
  ],
  [
    "a worker that cannot be dialled",
    cluster.checkWorkerReach([worker], [{ id: "laptop", why: "connection refused" }]),
    "warn",
    "laptop cannot be dialled from here",
  ],
  ["an archive", cluster.checkArchive(fakeStatus()), "ok", "2 batches behind"],
  [
    "an archive that is behind",
    cluster.checkArchive({ journal, archive: { watermark: 1_950_000 } }),
    "warn",
    "50,000 batches behind",
  ],
  [
    "an archive that is far behind",
    cluster.checkArchive({ journal, archive: { watermark: 0 } }),
    "bad",
    "2,000,000 batches behind",
  ],
  ["a fresh backup", cluster.checkBackup(3_600_000), "ok", "the newest is 1h 0m old"],
  ["an old backup", cluster.checkBackup(10 * 86_400_000), "warn", "the newest is 10d 0h old"],
  ["a very old backup", cluster.checkBackup(90 * 86_400_000), "bad", "the newest is 90d 0h old"],
  [
    "a backup that is not there",
    cluster.checkBackup("none"),
    "bad",
    "there is none where you said",
  ],
  [
    "a backup that nobody named",
    cluster.checkBackup(undefined),
    "unknown",
    "its age is unknown: the cluster keeps no list of them",
  ],
  [
    "masters at ease",
    cluster.checkAttention(fakeOverview()),
    "ok",
    "the masters see nothing wrong",
  ],
  [
    "masters that warn",
    cluster.checkAttention(attention("warn")),
    "warn",
    "The journal is 85 % full.",
  ],
  [
    "masters in trouble",
    cluster.checkAttention(attention("bad")),
    "bad",
    "The journal is 85 % full.",
  ],
];

describe("a check", () => {
  test.each(rows)("of %s", (_, made, level, what) => {
    expect([made.level, made.what]).toEqual([level, what]);
    // What is not well is told with what to do.
    expect(made.todo !== undefined || level === "ok" || level === "unknown").toBe(true);
  });

  test("of a cgroup reads its files as the kernel writes them", () => {
    expect([machine.parseMemoryMax("max\n"), machine.parseMemoryMax("1048576\n")]).toEqual([
      undefined,
      1_048_576,
    ]);
    expect([machine.parseCpuMax("max 100000\n"), machine.parseCpuMax("150000 100000\n")]).toEqual([
      undefined,
      1.5,
    ]);
  });
});

describe("this machine", () => {
  let dir = "";
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "skein-doctor-"));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test("is measured without leaving anything behind", async () => {
    const far = join(dir, "not", "there");
    const found = await machine.placeOf(far);
    expect(found).toMatchObject({ dir: far, there: dir, exists: false, writable: true });
    expect(found.freeBytes).toBeGreaterThan(0);
    expect(await machine.syncTime(dir)).toBeGreaterThanOrEqual(0);
    expect(await machine.syncTime(far)).toBeUndefined();
    expect(await machine.backupAge(dir, Date.now())).toBe("none");
    expect(await machine.loopbackTrouble()).toBeUndefined();
  });

  test("is all that is looked at while no cluster is known", async () => {
    const ran = await run("doctor", { env: { SKEIN_DATA: dir } });
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    expect(ran.stdout).toContain("This machine only: No cluster is known here");
    expect(ran.stdout).not.toMatch(/^\S+ +leader/m);
    await writeFile(join(dir, "token"), "secret");
    await chmod(join(dir, "token"), 0o644);
    const bad = await run("doctor", { env: { SKEIN_DATA: dir } });
    expect(bad.code).toBe(1);
    expect(bad.stdout).toContain(`do   chmod 600 ${join(dir, "token")}\n`);
    await rm(join(dir, "token"));
  });

  test("is said to reach nobody when the masters that were named are silent", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const env = { SKEIN_DATA: dir, SKEIN_TOKEN: "t", SKEIN_URL: `http://127.0.0.1:${port}` };
    const { code, stdout } = await run("doctor --json", { env });
    expect(code).toBe(1);
    const said = JSON.parse(stdout) as { readonly checks: readonly Finding[] };
    expect(said).toMatchObject({ level: "bad", localOnly: "no master answers from here" });
    expect(said.checks.filter(({ level }) => level === "bad").map(({ check }) => check)).toEqual([
      "masters",
    ]);
  });
});

describe("a cluster", () => {
  async function examined(args: string, more: FakeRoutes = {}, options: object = {}) {
    let url = "";
    const dir = await mkdtemp(join(tmpdir(), "skein-doctor-"));
    await using fake = await fakeCluster(wellRoutes(() => url, more));
    url = fake.url;
    try {
      return await fake.run(`${args} --data ${dir}`, options);
    } finally {
      await rm(dir, { recursive: true });
    }
  }

  /** From the first line that tells of the cluster. */
  const ofCluster = (text: string) =>
    plainText(text).slice(plainText(text).search(/^\w+ +masters /m));

  test("that is well", async () => {
    const { code, stdout } = await examined("doctor");
    expect(code).toBe(0);
    expect(
      ofCluster(stdout)
        .replace(/within .*/, "within …")
        .replace(/^\w+ +own clock[^]*?(?=^ok)/m, ""),
    ).toMatchInlineSnapshot(`
      "ok    masters             1 master answers within …
      ok    leader              m1 leads in term 1
      ok    standbys            Nothing is lost when it dies.
      ok    masters' clocks     there is only one to look at
      ok    versions            all are 0.1.0
      ok    workers             1 active
      ok    worker connections  both ways open
      ok    archive             2 batches behind
      ?     backup              its age is unknown: the cluster keeps no list of them
                                do   skein doctor --backup FILE-OR-FOLDER looks at yours.
      ok    cluster             the masters see nothing wrong
      "
    `);
  });

  test("with something bad ends with 1, says why, and fits 80 columns without colours", async () => {
    const routes = { "GET /v1/status": () => fakeStatus({ leader: null }) };
    const env = { NO_COLOR: "1" };
    const { code, stdout } = await examined("doctor", routes, { columns: 80, env });
    expect(code).toBe(1);
    expect(stdout).toBe(plainText(stdout));
    expect(stdout).toMatch(/^1 thing is bad/);
    expect(/^bad[^]*?(?=^ok)/m.exec(stdout)?.[0]).toMatchInlineSnapshot(`
      "bad   leader              nobody leads
                                why  Nothing is decided until a master is elected:
                                     seconds, where all is well.
                                do   Look at the masters' logs; \`skein master list\`
                                     shows who lives.
      "
    `);
    const shown = ofCluster(stdout).split("\n");
    expect(Math.max(...shown.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("is one document with --json", async () => {
    const { code, stdout } = await examined("doctor --json");
    const said = JSON.parse(stdout) as { readonly checks: readonly Finding[] };
    expect(code).toBe(0);
    expect(said).toMatchObject({ apiVersion: "skein/v1", localOnly: null });
    expect(worstOf(said.checks)).not.toBe("bad");
    expect(said.checks.length).toBeGreaterThanOrEqual(20);
  });
});

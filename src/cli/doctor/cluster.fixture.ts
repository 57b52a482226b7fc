// For tests: what the masters of a cluster that is well answer.

import type { MasterView, OverviewView, StatusView } from "../../client/index.ts";
import { version } from "../../lib/version.ts";
import { protocolVersion } from "../../protocol/messages.ts";
import type { FakeRoutes } from "../fakes.fixture.ts";
import { counts, fakeWorker, noon, page } from "../fakes.fixture.ts";

export function fakeMaster(more: Partial<MasterView> = {}): MasterView {
  return {
    id: "m1",
    state: "leading",
    incarnation: "a",
    address: "http://127.0.0.1:7420",
    version,
    term: 1,
    applied: 40,
    lag: 0,
    watermark: 40,
    snapshot: 0,
    clockMs: 0,
    since: noon,
    ...more,
  };
}

export function fakeOverview(more: Partial<OverviewView> = {}): OverviewView {
  const worker = { id: "laptop", state: "active" as const, used: 3, total: 8, running: 3 };
  return {
    verdict: "Healthy: 1 worker, nothing waits.",
    level: "ok",
    index: 42,
    term: 1,
    master: "m1",
    rates: { succeeded: 12, failed: 0 },
    tasks: { waiting: 30, assigned: 3 },
    jobs: { unfinished: 1, finished: 7 },
    cpu: { used: 3, total: 8 },
    oldestWaitMs: 1_200,
    workers: { total: 1, items: [worker] },
    running: [],
    failing: [],
    attention: [],
    ...more,
  };
}

export function fakeStatus(more: Partial<StatusView> = {}): StatusView {
  const place = { id: "m1", term: 1, address: "http://127.0.0.1:7420", since: noon };
  const own = { incarnation: "a", version, node: "v20.20.2", pid: 1, leads: true };
  return {
    verdict: "Healthy",
    journal: { id: "j", engine: "sqlite", index: 42, trimmed: 0, bytes: 4_096 },
    master: { ...place, ...own },
    leader: place,
    masters: { standingBy: [], away: [], unknown: [] },
    survives: "Nothing is lost when it dies.",
    workers: { active: 1, suspect: 0, draining: 0, lost: 0 },
    slots: { cpu: 8, used: 0 },
    jobs: { unfinished: 0, finished: 0 },
    tasks: counts({}),
    stateBytes: 4_096,
    snapshot: null,
    archive: { watermark: 40 },
    ...more,
  };
}

/** Routes of a fake cluster at `url`, which is its worker too. */
export function wellRoutes(url: () => string, more: FakeRoutes = {}): FakeRoutes {
  return {
    "GET /v1/version": () => ({ version, protocol: protocolVersion, node: "v20.20.2" }),
    "GET /v1/status": () => fakeStatus(),
    "GET /v1/overview": () => fakeOverview(),
    "GET /v1/workers": () => page([fakeWorker({ version, address: new URL(url()).host })]),
    "GET /v1/masters": () => ({
      items: [fakeMaster({ address: url() })],
      term: 1,
      survives: "Nothing is lost when it dies.",
    }),
    ...more,
  };
}

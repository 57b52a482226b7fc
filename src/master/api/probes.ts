// Is it alive, may it be asked: GET /livez and /readyz, for whoever starts and stops masters. Answered before
// routing, so that they say nothing of the cluster in their headers and need nothing but this process.
//
//   /livez    the process's loop turns: it answers
//   /readyz   it leads or follows a leader, its state is fresh, its archive can be written, it is not leaving
//
// The bare question, without a token, is answered by one word: whoever starts masters has none to ask with (door.ts,
// rule 4). A token that it brings must be right, and then /readyz says what is wrong; with ?verbose, which needs it,
// both say what was looked at.

import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../../protocol/limits.ts";
import type { Master } from "../context.ts";
import { freshLeader } from "../not-leading.ts";

export interface Check {
  readonly name: string;
  /** What is wrong; undefined: nothing is. */
  readonly trouble: string | undefined;
}

type Probed = Pick<Master, "archive" | "identity" | "leadership" | "loop" | "isLeaving">;

export type AnswerProbe = (
  request: IncomingMessage,
  response: ServerResponse,
  isKnown: boolean,
) => boolean;

/** Answers the probes, of who is not known only the bare question; false for every other request. */
export function createProbes(master: Probed): AnswerProbe {
  return (request, response, isKnown) => {
    if (isKnown ? !isProbe(request) : !isBare(request)) return false;
    const url = request.url ?? "";
    const isReadiness = url.startsWith("/readyz");
    const checks = isReadiness ? readiness(master) : [{ name: "loop", trouble: undefined }];
    const wrong = checks.filter(({ trouble }) => trouble !== undefined);
    const word = wrong.length > 0 ? "unready" : isReadiness ? "ready" : "alive";
    const shown = !isKnown ? [] : isVerbose(url) ? checks : wrong;
    const lines = [word, ...shown.map(({ name, trouble }) => `${name}: ${trouble ?? "good"}`)];
    response.statusCode = wrong.length > 0 ? 503 : 200;
    response.setHeader("content-type", "text/plain; charset=utf-8");
    response.setHeader("cache-control", "no-store");
    response.end(`${lines.join("\n")}\n`);
    return true;
  };
}

export function readiness(master: Probed): Check[] {
  const { archive, leadership, loop } = master;
  const ageMs = leadership.newsAgeMs();
  const leader = loop.leads || freshLeader(master) !== undefined;
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  const stopped = loop.halted ? "this master has stopped" : undefined;
  const lag = `its state may be ${seconds(ageMs)} old, more than ${seconds(limits.readyLagMs)}`;
  return [
    { name: "leader", trouble: stopped ?? (leader ? undefined : "no master is known to lead") },
    { name: "state", trouble: loop.rebuilding ? "it is built again" : undefined },
    { name: "lag", trouble: ageMs < limits.readyLagMs ? undefined : lag },
    {
      name: "archive",
      trouble: archive.trouble && `it cannot be written: ${archive.trouble.message}`,
    },
    { name: "leaving", trouble: master.isLeaving ? "this master is being stopped" : undefined },
  ];
}

function isVerbose(url: string): boolean {
  return new URLSearchParams(url.split("?", 2)[1]).has("verbose");
}

const paths = ["/livez", "/readyz"];

function isProbe({ method, url = "" }: IncomingMessage): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  return paths.includes(url.split("?", 1)[0] ?? "");
}

function isBare(request: IncomingMessage): boolean {
  const { authorization } = request.headers;
  return isProbe(request) && paths.includes(request.url ?? "") && authorization === undefined;
}

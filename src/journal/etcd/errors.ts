// What etcd says when it does not do what it was asked, by gRPC status code and message.
//
// R1  `EtcdRefusal` is a definite no of etcd. Whether something was stored all the same follows from
//     its `kind`; see there.
// R2  Everything else that ends a call without an answer is `EngineUnavailable`: it may have been done.

import { JournalHalt } from "../halt.ts";
import { EngineUnavailable } from "../unavailable.ts";

export type RefusalKind =
  /** Over the quota. The write was stored if it is the one that crossed it: read to know. */
  | "no_space"
  /** Larger than `--max-request-bytes`. Nothing was stored. */
  | "too_large"
  /** The user may not do this. Nothing was stored. */
  | "forbidden"
  /** No token, an old one, or one from before users were changed. Nothing was stored. */
  | "token"
  /** The revision is compacted already, or not there yet. */
  | "compacted"
  /** Any other. Nothing is known about it. */
  | "other";

export class EtcdRefusal extends Error {
  override readonly name = "EtcdRefusal";
  readonly kind: RefusalKind;
  /** The gRPC status code. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(`etcd refused: ${message} (code ${code})`);
    this.code = code;
    this.kind = kindOf(code, message);
  }
}

/** Answers that say nothing about the request: cancelled, unknown, deadline, aborted, internal, unavailable. */
const transient: ReadonlySet<number> = new Set([1, 2, 4, 10, 13, 14]);
const dataLoss = 15;

export function errorOf(code: number, message: string): Error {
  if (code === dataLoss) return corruptCluster(message);
  const busy = code === 8 && /too many requests/.test(message);
  if (transient.has(code) || busy) {
    return new EngineUnavailable(`etcd did not do it: ${message} (code ${code})`);
  }
  return new EtcdRefusal(code, message);
}

function kindOf(code: number, message: string): RefusalKind {
  if (/database space exceeded/.test(message)) return "no_space";
  if (/request is too large|larger than max/.test(message)) return "too_large";
  if (code === 16 || /invalid auth token|auth store is old|user name is empty/.test(message)) {
    return "token";
  }
  if (code === 7 || /authentication failed/.test(message)) return "forbidden";
  return code === 11 ? "compacted" : "other";
}

export function corruptCluster(message: string): JournalHalt {
  return new JournalHalt("corrupt", {
    what: `etcd says that its members hold different data (${message})`,
    why: "what it would answer depends on whom it is asked",
    todo: "Find the member that differs (etcdctl endpoint hashkv), replace it, then restart",
  });
}

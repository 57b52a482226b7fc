// What a master that stands by says to whoever wants the leader: who that is, while it knows.

import type { Leader } from "../core/state.ts";
import { SkeinError } from "../protocol/errors.ts";
import type { Master } from "./context.ts";

type Standby = Pick<Master, "loop" | "leadership" | "identity">;

/** The other master that leads, if this one has fresh news of it. */
export function freshLeader({ loop, leadership, identity }: Standby): Leader | undefined {
  const leader = loop.peek((state) => state.leader);
  if (leader === null || loop.leads || leader.id === identity.id) return undefined;
  return leadership.leaderElsewhere() === undefined ? undefined : leader;
}

export function notLeading(master: Standby): SkeinError {
  const leader = freshLeader(master);
  if (!leader) return new SkeinError("not_leading", "This master does not lead.");
  const [address] = leader.addresses;
  return new SkeinError("not_leading", `This master stands by; ${leader.id} leads.`, {
    ...(address === undefined ? {} : { leader: address }),
  });
}

/** What is done to the cluster while it works: SIGKILL to whoever matters most at that moment. */
import type { Skein } from "skein";

export interface Blow {
  /** Share of the work after which it falls. */
  readonly at: number;
  /** Returns who it was, and what to tell. */
  readonly fall: (skein: Skein) => Promise<{ readonly id: string; readonly text: string }>;
}

export async function killWorker(skein: Skein): Promise<{ id: string; text: string }> {
  const { items } = await skein.client.workers();
  const worker =
    items.find(({ state, assigned }) => state === "active" && assigned > 0) ?? items[0];
  if (!worker) throw new Error("there is no worker to kill");
  process.kill(worker.pid, "SIGKILL");
  const who = `Killed worker ${worker.id} (process ${worker.pid}) with SIGKILL`;
  return { id: worker.id, text: `${who}; it had ${plural(worker.assigned, "task")}.` };
}

export async function killLeader(skein: Skein): Promise<{ id: string; text: string }> {
  const { master, masters } = await skein.client.status({ strong: true });
  const { id, pid, term } = master;
  process.kill(pid, "SIGKILL");
  const who = `Killed master ${id} (process ${pid}), the leader of term ${term}, with SIGKILL`;
  return { id, text: `${who}; ${masters.standingBy.join(" and ")} stood by.` };
}

export function plural(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

// Who this browser is to the cluster: a cookie that scripts cannot read, and a page key that belongs to this origin
// alone (the master's login.ts, W3).

const keyName = "skein-page-key";

export function pageKey(): string | undefined {
  return localStorage.getItem(keyName) ?? undefined;
}

/** Uses a one-time code; throws in words when it is none. */
export async function logIn(code: string): Promise<void> {
  const answer = await fetch("/v1/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code }),
  });
  const said = (await answer.json()) as { key?: string; detail?: string };
  if (!answer.ok || said.key === undefined) {
    throw new Error(said.detail ?? `The master answered ${answer.status}.`);
  }
  localStorage.setItem(keyName, said.key);
}

export async function logOut(): Promise<void> {
  await fetch("/v1/logout", { method: "POST" });
  localStorage.removeItem(keyName);
}

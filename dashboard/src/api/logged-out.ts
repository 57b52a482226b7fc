// Whether a master has said that this browser has no session.

let loggedOut = false;
const listeners = new Set<() => void>();

export const isLoggedOut = (): boolean => loggedOut;

export function noteLoggedOut(): void {
  loggedOut = true;
  for (const listener of listeners) listener();
}

export function subscribeLogin(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

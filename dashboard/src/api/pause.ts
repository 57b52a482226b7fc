// Whether the page asks again by itself. Paused, nothing moves until it is resumed; a reload shows the present.

let paused = false;
const listeners = new Set<() => void>();

export const isPaused = (): boolean => paused;

export function setPaused(next: boolean): void {
  paused = next;
  for (const listener of listeners) listener();
}

export function subscribePaused(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

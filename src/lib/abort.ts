// The only helpers of cancellation: a linked controller and a delay that ends early.

/** A controller that is aborted with its parent; the link is gone once the child is aborted. */
export function linkAbortController(parent?: AbortSignal): AbortController {
  const child = new AbortController();
  if (!parent) return child;
  if (parent.aborted) child.abort(parent.reason);
  else {
    const follow = () => child.abort(parent.reason);
    parent.addEventListener("abort", follow, { once: true, signal: child.signal });
  }
  return child;
}

/** Resolves after `ms`, or rejects with the signal's reason as soon as it is aborted. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(toError(signal.reason));
    const stop = () => {
      clearTimeout(timer);
      reject(toError(signal?.reason));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}

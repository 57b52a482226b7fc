// What must hold. Assertions stay on in production: a broken one stops this master, failover does the rest.

export class InvariantBroken extends Error {
  override readonly name = "InvariantBroken";
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantBroken(message);
}

/** A value that must be there. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new InvariantBroken(`${what} is missing`);
  return value;
}

export function unreachable(value: never): never {
  throw new InvariantBroken(`unexpected ${JSON.stringify(value)}`);
}

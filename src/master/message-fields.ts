// Fields of messages from outside, looked at one by one: behind the edge every message has its shape, names are
// names and numbers are whole. What worker-messages.ts and peer-checks.ts are made of.

/** What is wrong with a message, for whoever runs or writes the other side. */
export class MessageError extends Error {
  override readonly name = "MessageError";
  readonly code: "bad_request" | "protocol_version";

  /** `protocol_version`: what a newer one may well say. */
  constructor(message: string, code: MessageError["code"] = "bad_request") {
    super(message);
    this.code = code;
  }
}

export type Fields = Readonly<Record<string, unknown>>;

export const textMax = 512;
export const incarnationPattern = /^[0-9a-zA-Z]{1,64}$/;

export function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}

export function fields(value: unknown, name: string): Fields {
  const plain = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!plain) throw wrong(name, value, "an object");
  return value as Fields; // any object has fields, all of them unknown
}

export function list(of: Fields, name: string): readonly unknown[] {
  const value = of[name];
  if (!Array.isArray(value)) throw wrong(name, value, "a list");
  return value;
}

export function text(of: Fields, name: string, max = textMax): void {
  const value = of[name];
  if (typeof value !== "string" || value.length > max) throw wrong(name, value, "a short text");
}

export function whole(of: Fields, name: string): void {
  if (!isWhole(of[name])) throw wrong(name, of[name], "a whole number, not negative");
}

export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function wrong(name: string, value: unknown, expected: string): MessageError {
  return new MessageError(`${name} is ${shown(value)}, not ${expected}`);
}

export function shown(value: unknown): string {
  const text = typeof value === "object" && value !== null ? "an object" : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

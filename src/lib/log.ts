// Structured logs: one JSON object a line on stderr, or a readable line for a terminal.

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Log {
  readonly debug: (message: string, fields?: LogFields) => void;
  readonly info: (message: string, fields?: LogFields) => void;
  readonly warn: (message: string, fields?: LogFields) => void;
  readonly error: (message: string, fields?: LogFields) => void;
  /** A log whose every line also carries these fields. */
  with(fields: LogFields): Log;
}

export type LogFields = Readonly<Record<string, unknown>>;

export interface LogOptions {
  readonly level?: LogLevel;
  readonly format?: "json" | "text";
  readonly write?: (line: string) => void;
}

const ranks: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createLog(options: LogOptions = {}, fields: LogFields = {}): Log {
  const least = ranks[options.level ?? "info"];
  const write = options.write ?? ((line) => void process.stderr.write(line));
  const format = options.format === "text" ? textLine : jsonLine;
  const at = (level: LogLevel) => (message: string, more?: LogFields) => {
    if (ranks[level] >= least) write(format(level, message, { ...fields, ...more }));
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (more) => createLog(options, { ...fields, ...more }),
  };
}

/** A log that says nothing: for tests and for libraries that were given none. */
export const silentLog: Log = createLog({ write: () => {} });

function jsonLine(level: LogLevel, message: string, fields: LogFields): string {
  return `${JSON.stringify({ ts: new Date().toISOString(), level, msg: message, ...plain(fields) })}\n`;
}

function textLine(level: LogLevel, message: string, fields: LogFields): string {
  const pairs = Object.entries(plain(fields)).map(
    ([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return (
    `${new Date().toISOString()} ${level.padEnd(5)} ${message} ${pairs.join(" ")}`.trimEnd() + "\n"
  );
}

/** Errors do not survive JSON.stringify by themselves. */
function plain(fields: LogFields): LogFields {
  const entries = Object.entries(fields).map(
    ([key, value]) =>
      [key, value instanceof Error ? (value.stack ?? value.message) : value] as const,
  );
  return Object.fromEntries(entries);
}

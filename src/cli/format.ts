// Numbers, times and names as people read them.

/** "4 ms", "0.4 s", "12 s", "2m 10s", "3h 5m", "2d 4h". */
export function duration(ms: number): string {
  if (ms < 99.5) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = ms / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m ${whole % 60}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** How long ago a moment was; "" when it has not been. */
export function ago(iso: string | null, now: number): string {
  return iso === null ? "" : `${duration(Math.max(0, now - Date.parse(iso)))} ago`;
}

/** From a moment to another, or to now. */
export function between(from: string | null, to: string | null, now: number): string {
  if (from === null) return "";
  return duration(Math.max(0, (to === null ? now : Date.parse(to)) - Date.parse(from)));
}

/** "1,000". */
export function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 task", "2 tasks". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** "512 B", "1.5 KiB", "12 GiB". */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = n;
  let unit = 0;
  while (value >= 1_023.5 && unit < units.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Thousandths as they are counted: 1500 is "1.5". */
export function thousandths(n: number): string {
  return String(n / 1_000);
}

/** An amount of a worker: memory counts MiB. */
export function amount(name: string, n: number): string {
  return name === "memory" ? bytes((n / 1_000) * 2 ** 20) : thousandths(n);
}

/** The first digits of a job's id: enough to tell it from others, and accepted everywhere. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}

export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** A path as its owner writes it: ~ for the home directory. */
export function homePath(path: string, home: string | undefined): string {
  return home && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

// Numbers, times and sizes for people. What is exact stands in the title of whatever shows these.

const grouped = new Intl.NumberFormat("en-US");
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const count = (n: number): string => grouped.format(n);
export const compact = (n: number): string => (n < 10_000 ? grouped.format(n) : short.format(n));

export const plural = (n: number, word: string, many = `${word}s`): string =>
  `${count(n)} ${n === 1 ? word : many}`;

export function rate(perSecond: number): string {
  if (perSecond === 0) return "0/s";
  return `${perSecond < 10 ? perSecond.toFixed(1) : compact(Math.round(perSecond))}/s`;
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const s = ms / 1_000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 90) return `${Math.round(s)} s`;
  const m = s / 60;
  if (m < 60) return two(Math.floor(m), "m", Math.floor(s % 60), "s");
  const h = m / 60;
  if (h < 48) return two(Math.floor(h), "h", Math.floor(m % 60), "m");
  return two(Math.floor(h / 24), "d", Math.floor(h % 24), "h");
}

/** In one unit: for ages, whose exact value stands beside them on hover. */
export function roughly(ms: number): string {
  const s = Math.floor(ms / 1_000);
  if (s < 90) return `${s} s`;
  if (s < 5_400) return `${Math.floor(s / 60)} m`;
  return s < 172_800 ? `${Math.floor(s / 3_600)} h` : `${Math.floor(s / 86_400)} d`;
}

const two = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;

export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let value = n;
  for (; value >= 1_024 && at < units.length - 1; at++) value /= 1_024;
  return `${value >= 100 || at === 0 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

export const percent = (share: number): string =>
  `${share > 0 && share < 0.01 ? "<1" : Math.round(share * 100)} %`;

/** An amount as thousandths: cpu 1500 is one and a half; memory counts MiB. */
export function amount(name: string, thousandths: number): string {
  if (name === "memory") return bytes((thousandths / 1_000) * 2 ** 20);
  const value = thousandths / 1_000;
  return Number.isInteger(value) ? count(value) : value.toFixed(2);
}

export const clockTime = (iso: string | number): string =>
  new Date(iso).toLocaleTimeString("en-GB", { hour12: false });

export const exactTime = (iso: string | number): string =>
  new Date(iso).toISOString().replace("T", " ").replace("Z", " UTC");

export const shortId = (id: string): string => id.slice(0, 8);

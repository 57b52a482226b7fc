// Lines of output as runs of text with a colour. Of ANSI only colours and bold are kept; every other control is
// left out, and nothing is ever markup.

export interface Run {
  readonly text: string;
  readonly style: string;
}

const escape =
  // oxlint-disable-next-line no-control-regex
  /\u001b\[([\d;:]*)m|\u001b\[[\d;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-Z\\-_]|[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** `style` is what the line before has left on. */
export function runsOf(
  line: string,
  style = "",
): { readonly runs: readonly Run[]; readonly style: string } {
  const runs: Run[] = [];
  let at = 0;
  let now = style;
  for (const match of line.matchAll(escape)) {
    if (match.index > at) runs.push({ text: line.slice(at, match.index), style: now });
    at = match.index + match[0].length;
    if (match[1] !== undefined) now = styled(now, match[1]);
  }
  if (at < line.length) runs.push({ text: line.slice(at), style: now });
  return { runs, style: now };
}

function styled(before: string, codes: string): string {
  const words = new Set(before.split(" ").filter((word) => word !== ""));
  for (const code of codes.split(/[;:]/).map(Number)) {
    const isColour = (code >= 30 && code <= 37) || (code >= 90 && code <= 97);
    if (code === 0) words.clear();
    if (code === 1) words.add("bold");
    if (code === 22) words.delete("bold");
    if (!isColour && code !== 39) continue;
    for (const word of words) if (word.startsWith("c")) words.delete(word);
    if (isColour) words.add(`c${(code % 10).toString()}`);
  }
  return [...words].join(" ");
}

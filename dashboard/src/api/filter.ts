// The filter of a list as it stands in the address: terms with spaces between, `name:value`, `name:a,b`, `!name:value`,
// `label.team=x`. The master parses it (src/protocol/filter.ts); here it is only taken apart into chips and put together
// again, also when it is wrong: so that what is wrong can be taken away.

export interface Term {
  readonly text: string;
  readonly name: string;
  readonly values: readonly string[];
  readonly not: boolean;
}

export function termsOf(filter: string): Term[] {
  // Spaces in quotes end no term.
  const texts = filter.match(/(?:"(?:[^"\\]|\\.)*"?|[^\s"])+/gs) ?? [];
  return texts.map((text) => {
    const not = text.startsWith("!");
    const term = not ? text.slice(1) : text;
    const sign = term.startsWith("label.") ? /[=<>](.*)/s : /[:=<>](.*)/s;
    const [name = "", value = ""] = term.split(sign, 2);
    return { text, name, values: value.split(","), not };
  });
}

export function without(filter: string, text: string): string {
  return termsOf(filter)
    .filter((term) => term.text !== text)
    .map((term) => term.text)
    .join(" ");
}

export function valuesOf(filter: string, name: string): readonly string[] {
  return termsOf(filter).find((term) => term.name === name && !term.not)?.values ?? [];
}

/** The filter with `name` set to any of the values; without them, without it. */
export function withValues(filter: string, name: string, values: readonly string[]): string {
  const others = termsOf(filter).filter((term) => term.name !== name || term.not);
  const added = values.length === 0 ? [] : [`${name}:${values.join(",")}`];
  return [...others.map(({ text }) => text), ...added].join(" ");
}

export function toggled(filter: string, name: string, value: string): string {
  const values = valuesOf(filter, name);
  const next = values.includes(value) ? values.filter((one) => one !== value) : [...values, value];
  return withValues(filter, name, next);
}

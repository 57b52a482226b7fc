// HTML that cannot be broken by what stands in it.
//
//   H1. Every value in a template is text and escaped, unless it came from `markup` itself.
//   H2. What a terminal or a browser would obey instead of showing (control characters, marks that turn the direction
//       of writing) is shown by its name.

/** Pieces of a page that are markup already. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = Html | string | number | readonly Html[] | undefined;

/** A template: markup`<b>${name}</b>`. (A tag that is called html has its whitespace changed by formatters.) */
export function markup(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  const texts = values.map(textOf);
  return new Html(parts.map((part, i) => part + (texts[i] ?? "")).join(""));
}

function textOf(value: Value): string {
  if (value === undefined) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(({ text }) => text).join("");
  return escaped(String(value));
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (mark) => entities[mark] ?? "");
}

/** All controls but tab and newline, what turns the direction of writing, and halves of characters. */
const unseen = /(?![\t\n])\p{Cc}|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|\p{Cs}/gu;
const controlPictures = 0x2400;

export function visible(text: string): string {
  return text.replace(unseen, (mark) => {
    const code = mark.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(controlPictures + code);
    if (code >= 0xd800 && code <= 0xdfff) return "\ufffd";
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}

/** A text that someone chose: it keeps to itself whichever way it is written. */
export function named(text: string): Html {
  return markup`<bdi>${text}</bdi>`;
}

/** JSON inside a script element: nothing in it can end the element. Texts for people are made `visible` before. */
export function jsonData(value: unknown): Html {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return new Html(text);
}

// A JSON schema as nested lists of names and types, for the reference page.

export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** Deeper than any of ours; a schema that names itself would not end. */
const depthMax = 8;

export function schemaHtml(schema: JsonSchema, depth = 0): string {
  const { description } = schema;
  const inner = innerOf(schema);
  const fields = Object.entries(inner.properties ?? {});
  const text = `<p class="type">${escape(typeText(schema))}${description ? `: ${escape(description)}` : ""}</p>`;
  const list = fields.map(([name, field]) => fieldHtml(name, field, inner, depth)).join("");
  const head = depth === 0 ? text : "";
  return fields.length === 0 || depth >= depthMax ? head : `${head}<ul class="schema">${list}</ul>`;
}

function fieldHtml(name: string, field: JsonSchema, of: JsonSchema, depth: number): string {
  const optional = of.required?.includes(name) ? "" : " <em>optional</em>";
  const text = field.description === undefined ? "" : ` ${escape(field.description)}`;
  const type = `<span class="type">${escape(typeText(field))}</span>`;
  return `<li><code>${escape(name)}</code> ${type}${optional}${text}${schemaHtml(field, depth + 1)}</li>`;
}

/** The object that has fields: itself, what an array holds, or the one alternative that is one. */
function innerOf(schema: JsonSchema): JsonSchema {
  if (schema.properties) return schema;
  if (schema.items) return innerOf(schema.items);
  if (typeof schema.additionalProperties === "object") return innerOf(schema.additionalProperties);
  const found = (schema.anyOf ?? schema.oneOf ?? [])
    .map(innerOf)
    .find(({ properties }) => properties);
  return found ?? schema;
}

export function typeText(schema: JsonSchema): string {
  const { enum: words, anyOf, oneOf, items, additionalProperties } = schema;
  const limits = rangeText(schema);
  const preset = schema.default === undefined ? "" : `, default ${JSON.stringify(schema.default)}`;
  const alternatives = anyOf ?? oneOf;
  if (schema.const !== undefined) return JSON.stringify(schema.const) + preset;
  if (words) return words.map((word) => String(word)).join(" | ") + preset;
  if (alternatives) return [...new Set(alternatives.map(typeText))].join(" or ") + preset;
  if (items) return `list of ${typeText(items)}${preset}`;
  if (schema.type === "object" && typeof additionalProperties === "object") {
    return `names to ${typeText(additionalProperties)}${preset}`;
  }
  const type = schema.type ?? "any JSON";
  const name = typeof type === "string" ? type : type.join(" or ");
  return `${schema.format === "binary" ? "bytes" : name}${limits}${preset}`;
}

function rangeText({ minimum, maximum }: JsonSchema): string {
  // What is only as large as numbers are says nothing.
  const from = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const to = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (from === undefined && to === undefined) return "";
  if (to === undefined) return ` ≥ ${from}`;
  return from === undefined ? ` ≤ ${to}` : ` ${from} to ${to}`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

// GET /v1/reference: the API as one page for people, made from the OpenAPI document by the templates below. It needs
// nothing from anywhere else and runs no script: its policy forbids both.

import { hash } from "node:crypto";
import { errorKinds } from "../../protocol/errors.ts";
import { filterFields } from "../../protocol/filter-fields.ts";
import type { FieldKind } from "../../protocol/filter-fields.ts";
import { isUnchanged } from "./answers.ts";
import { answered } from "./handlers.ts";
import type { Handler } from "./handlers.ts";
import { openApi } from "./openapi.ts";
import { referenceStyle } from "./reference-style.ts";
import { schemaHtml, typeText } from "./reference-schema.ts";
import type { JsonSchema } from "./reference-schema.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, Response>>;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}
interface Response {
  readonly description: string;
  readonly content?: Content;
}
type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>;
interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${hash("sha256", referenceStyle, "base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The handler of one version; the page is made when it is asked for first. */
export function reference(version: string): Handler<"reference"> {
  let page: string | undefined;
  return async (_context, { request, reply }) => {
    page ??= referencePage(version);
    reply
      .header("content-type", "text/html; charset=utf-8")
      .header("content-security-policy", policy)
      .header("referrer-policy", "no-referrer");
    await (isUnchanged(request, reply, page) ? reply.send() : reply.send(page));
    return answered;
  };
}

export function referencePage(version: string): string {
  // The document is made of the route table by openapi.ts, which has these shapes.
  const { paths } = openApi(version) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  const entries = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  const groups = grouped(entries);
  const links = [...groups].map(
    ([title, all]) =>
      `<li><a href="#g-${title}">${escape(title)}</a><ul>${all.map(linkTo).join("")}</ul></li>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Skein API ${escape(version)}</title><style>${referenceStyle}</style></head>
<body><a class="skip" href="#main">Skip to the routes</a>
<nav aria-label="Routes"><p class="brand">Skein API</p><ul>
<li><a href="#s-about">About</a></li><li><a href="#s-filters">Filters</a></li>${links.join("")}
<li><a href="#s-errors">Errors</a></li></ul></nav>
<main id="main">${about(version)}${filters()}${[...groups].map(section).join("")}${errors()}</main>
</body></html>
`;
}

function grouped(entries: readonly Entry[]): ReadonlyMap<string, readonly Entry[]> {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const [, , first = ""] = entry.path.split(/[/:]/);
    const title = ["jobs", "tasks", "payloads", "workers", "masters", "queues", "events"].includes(
      first,
    )
      ? first
      : "cluster";
    groups.set(title, [...(groups.get(title) ?? []), entry]);
  }
  return groups;
}

function linkTo({ method, path, operation }: Entry): string {
  const short = escape(path.replace(/^\/v1/, ""));
  return `<li><a href="#${operation.operationId}">${badge(method)} <span>${short}</span></a></li>`;
}

function badge(method: string): string {
  return `<b class="m ${method}">${method.toUpperCase()}</b>`;
}

function about(version: string): string {
  return `<h1>Skein API</h1><section id="s-about" aria-labelledby="s-about-title">
<h2 id="s-about-title">About</h2>
<p>Version ${escape(version)}. Every master answers every route; a change that reaches a standby is answered with
the leader's address. The same as a document: <a href="/v1/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
<p>Every request carries the cluster's token. Answers say what they rest on: <code>Skein-Term</code>,
<code>Skein-Index</code>, <code>Skein-Age-Ms</code>; a GET may ask for more by <code>atLeast=INDEX</code> or
<code>strong=true</code>. Its <code>ETag</code> sent back as <code>If-None-Match</code> makes it answer 304 when
nothing has changed.</p>
<pre><code>curl -H "Authorization: Bearer $SKEIN_TOKEN" "$SKEIN_URL/v1/jobs?filter=state:failed&amp;limit=20"</code></pre>
<p>Lists answer <code>{items, total, nextCursor}</code>. <code>nextCursor</code>, sent as <code>cursor</code> with the
same query, is the next page; <code>fields=id,state</code> leaves out the rest; <code>partial</code> says why
something is not shown, or not counted.</p></section>`;
}

function filters(): string {
  const rows = Object.entries(filterFields).map(([resource, fields]) => {
    const names = Object.entries(fields).map(([name, kind]) => fieldText(name, kind));
    return `<tr><th scope="row">${resource}</th><td>${names.join(" ")}</td></tr>`;
  });
  return `<section id="s-filters" aria-labelledby="s-filters-title"><h2 id="s-filters-title">Filters</h2>
<p>Terms with spaces between; all must hold. <code>state:failed,cancelled</code> is any of them,
<code>!queue:night</code> is not, <code>label.team=film</code> is a label, <code>created&gt;2h</code> is younger than
two hours, <code>created&lt;2026-11-21T00:00:00Z</code> earlier than that. A value with spaces or commas stands in
quotes.</p><div class="wide"><table><thead><tr><th scope="col">list</th><th scope="col">fields</th></tr></thead>
<tbody>${rows.join("")}</tbody></table></div></section>`;
}

function fieldText(name: string, kind: FieldKind): string {
  if (kind.kind === "word") return `<code>${name}:${kind.words.join("|")}</code>`;
  if (kind.kind === "time") return `<code>${name}&gt;…</code> <code>${name}&lt;…</code>`;
  return `<code>${kind.kind === "labels" ? "label.NAME=…" : `${name}:…`}</code>`;
}

function errors(): string {
  const rows = Object.entries(errorKinds).map(
    ([code, { status, title, hint, retryable }]) =>
      `<tr><th scope="row"><code>${code}</code></th><td>${status}</td><td>${escape(title)}. ${escape(hint)}</td>` +
      `<td>${retryable ? "yes" : "no"}</td></tr>`,
  );
  return `<section id="s-errors" aria-labelledby="s-errors-title"><h2 id="s-errors-title">Errors</h2>
<p>Problem documents (RFC 9457): <code>detail</code> says what happened, <code>hint</code> what to do,
<code>errors</code> which fields, <code>instance</code> is the request's id in the master's log.</p>
<div class="wide"><table><thead><tr><th scope="col">code</th><th scope="col">status</th>
<th scope="col">what, and what to do</th><th scope="col">again?</th></tr></thead>
<tbody>${rows.join("")}</tbody></table></div></section>`;
}

function section([title, entries]: readonly [string, readonly Entry[]]): string {
  return `<section aria-labelledby="g-${title}"><h2 id="g-${title}">${escape(title)}</h2>
${entries.map(article).join("\n")}</section>`;
}

function article({ method, path, operation }: Entry): string {
  const { operationId, summary, parameters, requestBody, responses } = operation;
  const shown = escape(path).replace(/\{(\w+)\}/g, "<i>{$1}</i>");
  const bodies = Object.entries(requestBody?.content ?? {}).map(
    ([type, { schema }]) => `<h4>Body: ${escape(type)}</h4>${schemaHtml(schema)}`,
  );
  const answers = Object.entries(responses)
    .filter(([status]) => status !== "default")
    .flatMap(([status, { content = {} }]) =>
      Object.entries(content).map(
        ([type, { schema }]) => `<h4>Answer ${status}: ${escape(type)}</h4>${schemaHtml(schema)}`,
      ),
    );
  return `<article id="${operationId}" aria-labelledby="${operationId}-title">
<h3 id="${operationId}-title">${badge(method)} <code>${shown}</code></h3><p>${escape(summary)}.</p>
${parameterTable(parameters)}${bodies.join("")}${answers.join("")}</article>`;
}

/** Said once, above. */
const common = new Set(["atLeast", "strong", "If-None-Match"]);

function parameterTable(all: readonly Parameter[]): string {
  const parameters = all.filter(({ name }) => !common.has(name));
  if (parameters.length === 0) return "";
  const rows = parameters.map(
    ({ name, in: place, required, description = "", schema }) =>
      `<tr><th scope="row"><code>${escape(name)}</code></th><td>${place}${required ? ", required" : ""}</td>` +
      `<td>${escape(typeText(schema))}</td><td>${escape(description)}</td></tr>`,
  );
  return `<div class="wide"><table><thead><tr><th scope="col">parameter</th><th scope="col">in</th>
<th scope="col">type</th><th scope="col"></th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => entities[sign] ?? "");
}

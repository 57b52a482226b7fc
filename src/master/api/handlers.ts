// What a handler of a route is given and gives back, typed by the route table.

import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Clock } from "../../lib/clock.ts";
import type { RouteName, routes } from "../../protocol/routes.ts";
import type { Master } from "../context.ts";
import type { ClientWatch } from "./client-watch.ts";
import type { EventStreams } from "./event-streams.ts";
import type { Login } from "./login.ts";
import type { OpenRequests } from "./open-requests.ts";
import type { Overview } from "./overview.ts";
import type { PoisonedBodies } from "./poisoned-bodies.ts";
import type { Reads } from "./reads.ts";

export interface ApiContext {
  readonly master: Master;
  readonly clock: Clock;
  readonly login: Login;
  /** Clients of open jobs (K1). */
  readonly watch: ClientWatch;
  /** Streams and waits, to be ended when the master stops. */
  readonly open: OpenRequests;
  readonly poisoned: PoisonedBodies;
  readonly reads: Reads;
  readonly overview: Overview;
  /** Readers of events. */
  readonly streams: EventStreams;
}

type Routes = typeof routes;
type Parsed<Name extends RouteName, Part extends "params" | "query" | "body"> =
  Routes[Name] extends Readonly<Record<Part, infer Schema extends z.ZodType>>
    ? z.output<Schema>
    : undefined;

export interface Call<Name extends RouteName> {
  readonly params: Parsed<Name, "params">;
  readonly query: Parsed<Name, "query">;
  /** Undefined where the handler reads `bytes` itself: the routes in `rawRoutes`. */
  readonly body: Name extends RawRoute ? undefined : Parsed<Name, "body">;
  /** The body as it came; empty when there is none, or when it is a stream. */
  readonly bytes: Uint8Array;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Routes whose body is more than one JSON object. */
export const rawRoutes = ["submit", "part", "putPayload", "pushLogs"] as const;
export type RawRoute = (typeof rawRoutes)[number];

/** The handler has answered on the raw response. */
export const answered = Symbol("answered");

/** An answer that is JSON text already. */
export class JsonText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Answer<Name extends RouteName> =
  | typeof answered
  | JsonText
  | (Routes[Name] extends { readonly answer: infer Schema extends z.ZodType }
      ? z.output<Schema>
      : never);

export type Handler<Name extends RouteName> = (
  context: ApiContext,
  call: Call<Name>,
) => Promise<Answer<Name>>;

export type Handlers = { readonly [Name in RouteName]: Handler<Name> };

// What a route of the API is made of.

import type { z } from "zod";

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  /** JSON body; other bodies are named by `takes`. */
  readonly body?: z.ZodType;
  readonly takes?: readonly string[];
  readonly answer?: z.ZodType;
  /** Content type of an answer that is not JSON. */
  readonly gives?: readonly string[];
  readonly status?: number;
}

// GET /metrics: what Prometheus scrapes. In no table and no OpenAPI: its format is Prometheus's own. It needs the
// token (bearer_token_file), as everything does that tells of the cluster.

import type { FastifyInstance } from "fastify";
import { Registry } from "../metrics/registry.ts";
import { addStateGauges } from "../metrics/state-gauges.ts";
import type { ApiContext } from "./handlers.ts";

export function bindMetrics(app: FastifyInstance, { master }: ApiContext): void {
  const { metrics } = master;
  addStateGauges(metrics, master);
  app.addHook("onResponse", (request, reply, done) => {
    const { url = "none" } = request.routeOptions;
    metrics.answered(url, request.method, reply.statusCode, reply.elapsedTime / 1_000);
    done();
  });
  app.get("/metrics", async (_request, reply) => {
    reply.header("content-type", Registry.contentType);
    return metrics.registry.text();
  });
}

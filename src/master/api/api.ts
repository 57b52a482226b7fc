// The HTTP API of a master: doors, then the routes of protocol/routes.ts. Read next: door.ts, bind.ts, submit.ts.
//
//   H1. Nothing is answered, and no body is read, before the door has let the request in (D1).
//   H2. Every answer waits until what it says is durable: handlers see the state through `ask` and `look`.
//   H3. Every error is a problem document with the request's id; what the master did not expect is logged.

import { fastify } from "fastify";
import type { FastifyInstance } from "fastify";
import type { RequestListener, Server } from "node:http";
import { systemClock } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { SkeinError } from "../../protocol/errors.ts";
import type { Master } from "../context.ts";
import { jobAttempts, workerAttempts } from "./attempts.ts";
import { bindRoutes } from "./bind.ts";
import { cancelJobs, retryJobs } from "./bulk.ts";
import { ClientWatch } from "./client-watch.ts";
import { createDoor, createOuterDoor, shareWithOther, turnAway } from "./door.ts";
import type { CheckDoor } from "./door.ts";
import { findTasks } from "./find-tasks.ts";
import { JsonText } from "./handlers.ts";
import type { ApiContext, Handlers } from "./handlers.ts";
import { clientErrorHandler, closeServer, createHttpServer } from "./http-server.ts";
import { cancelJob, close, job, part } from "./jobs.ts";
import { jobs } from "./job-list.ts";
import { errors } from "./error-groups.ts";
import { graph } from "./job-graph.ts";
import { events } from "./events.ts";
import { EventStreams } from "./event-streams.ts";
import { jobLogs } from "./job-logs.ts";
import { Login } from "./login.ts";
import { loginCode } from "./login-code.ts";
import { logs } from "./logs.ts";
import { OpenRequests } from "./open-requests.ts";
import { masters, stepDown } from "./masters.ts";
import { bindMetrics } from "./metrics-route.ts";
import { openApi } from "./openapi.ts";
import { outcomes } from "./outcomes.ts";
import { Overview, overview, series } from "./overview.ts";
import { payload, putPayload } from "./payloads.ts";
import { bindPeerLogRoutes } from "./peer-log-routes.ts";
import { Dashboard } from "./dashboard.ts";
import { bindPeerRoutes } from "./peer-routes.ts";
import { PoisonedBodies } from "./poisoned-bodies.ts";
import { createProbes } from "./probes.ts";
import type { AnswerProbe } from "./probes.ts";
import { createErrorHandler, sendProblem } from "./problems.ts";
import { pushLogs } from "./push-logs.ts";
import { queue, queues, setQueue } from "./queues.ts";
import { reference } from "./reference.ts";
import { Reads } from "./reads.ts";
import { results } from "./results.ts";
import { retryJob } from "./retry.ts";
import { status, version } from "./status.ts";
import { submit } from "./submit.ts";
import { grid } from "./task-grid.ts";
import { stream } from "./task-stream.ts";
import { task } from "./task-detail.ts";
import { tasks } from "./task-list.ts";
import { cancelTask } from "./tasks.ts";
import { why } from "./why.ts";
import { cordonWorker, drainWorker, forgetWorker, worker, workers } from "./workers.ts";

export interface Api {
  /** Not listening yet; its upgrades are the caller's, behind `checkDoor`. */
  readonly server: Server;
  readonly checkDoor: CheckDoor;
  /** Ends streams and waits, and closes the server. */
  close(): Promise<void>;
}

/** The loop itself tells its callers after 5 s that it does not know (J3): this is for what it cannot tell. */
const answerMsDefault = 12_000;
export interface ApiOptions {
  readonly clock?: Clock;
  readonly answerMs?: number;
  /** Where the dashboard's build is. */
  readonly dashboardDir?: string;
}

export function createApi(master: Master, options: ApiOptions = {}): Api {
  const { clock = systemClock, answerMs = answerMsDefault } = options;
  const newId = requestIds(master.identity.incarnation);
  const { token, settings } = master;
  const overviews = new Overview(master, clock);
  const login = new Login({ token, clock });
  const others = () => otherOrigins(master);
  const door = { token, allowedHosts: settings.allowedHosts, newId, login, others };
  const checkDoor = counted(createDoor(door), master);
  const dashboard = new Dashboard({ dir: options.dashboardDir, others });
  const context: ApiContext = {
    master,
    clock,
    login,
    watch: new ClientWatch({ master, clock }),
    open: new OpenRequests(),
    poisoned: new PoisonedBodies(clock),
    reads: new Reads(master, clock),
    overview: overviews,
    streams: new EventStreams(master, overviews),
  };
  const checkOuter = counted(createOuterDoor(door), master);
  const answerProbe = createProbes(master);
  const app = createApp(master, { checkOuter, checkDoor, answerProbe, login, dashboard }, newId);
  // What a batch can hold, beside what else is decided in the same turn.
  const submitBytesMax = Math.floor(master.journal.batchBytesMax * 0.75);
  bindMetrics(app, context);
  bindRoutes(app, context, createHandlers(master.version), { submitBytesMax, answerMs });
  bindPeerRoutes(app, context);
  bindPeerLogRoutes(app, context);
  const { server } = app;
  return {
    server,
    checkDoor,
    async close() {
      context.watch.stop();
      context.streams.stop();
      context.open.close();
      await closeServer(server);
      await app.close();
    },
  };
}

function requestIds(incarnation: string): () => string {
  let count = 0;
  return () => `${incarnation.slice(0, 8)}-${(++count).toString(36)}`;
}

/** Where the other masters' dashboards come from. */
function otherOrigins({ loop, identity }: Master): readonly string[] {
  return loop.peek(({ masters: all }) =>
    [...all.values()]
      .filter(({ id }) => id !== identity.id)
      .flatMap(({ addresses }) => addresses)
      .flatMap((address) => (URL.canParse(address) ? new URL(address).origin : [])),
  );
}

interface Front {
  readonly checkOuter: CheckDoor;
  readonly checkDoor: CheckDoor;
  readonly answerProbe: AnswerProbe;
  readonly login: Login;
  readonly dashboard: Dashboard;
}

/** What is answered before routing; true when it was (door.ts, rules 1 to 4). */
function answerAtDoor(
  { checkOuter, checkDoor, answerProbe, login, dashboard }: Front,
  newId: () => string,
  ...[request, response]: Parameters<RequestListener>
): boolean {
  const outside = checkOuter(request);
  if (outside) {
    turnAway(request, response, outside);
    return true;
  }
  response.setHeader("x-content-type-options", "nosniff");
  if (answerProbe(request, response, false)) return true;
  if (shareWithOther(request, response)) return true;
  if (dashboard.serve(request, response) || login.serve(request, response, newId)) return true;
  const problem = checkDoor(request);
  if (!problem) return answerProbe(request, response, true);
  turnAway(request, response, problem);
  return true;
}

/** The door, and what it turned away in the metrics. */
function counted(check: CheckDoor, { metrics }: Master): CheckDoor {
  return (request) => {
    const problem = check(request);
    if (problem) metrics.turnedAway(problem.code);
    return problem;
  };
}

function createApp(master: Master, front: Front, newId: () => string): FastifyInstance {
  const app = fastify({
    serverFactory: (handle) => {
      let ready = false;
      const listener: RequestListener = (request, response) => {
        if (answerAtDoor(front, newId, request, response)) return;
        if (ready) return handle(request, response);
        whenReady().then(() => handle(request, response), logFailure);
      };
      const logFailure = (error: unknown) => master.log.error("the API failed to start", { error });
      const whenReady = async () => {
        await app.ready();
        ready = true;
      };
      return createHttpServer(listener);
    },
    genReqId: newId,
    // Queries and bodies are checked by the schemas of the routes.
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, new SkeinError("bad_request", error.message.slice(0, 300)));
    },
    clientErrorHandler,
  });
  app.setErrorHandler(createErrorHandler(master.log));
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no route ${request.method} ${request.url.slice(0, 200)}.`;
    const hint = "GET /v1/openapi.json lists all routes.";
    return sendProblem(reply, new SkeinError("not_found", message, { hint }));
  });
  return app;
}

function createHandlers(version_: string): Handlers {
  let document: JsonText | undefined;
  return {
    version,
    openapi: async () => (document ??= new JsonText(JSON.stringify(openApi(version_)))),
    reference: reference(version_),
    status,
    submit,
    part,
    close,
    jobs,
    job,
    cancelJob,
    retryJob,
    cancelJobs,
    retryJobs,
    jobAttempts,
    outcomes,
    results,
    tasks,
    findTasks,
    task,
    cancelTask,
    why,
    logs,
    jobLogs,
    pushLogs,
    putPayload,
    payload,
    loginCode,
    workers,
    worker,
    workerAttempts,
    cordonWorker,
    forgetWorker,
    drainWorker,
    masters,
    stepDown,
    events,
    queues,
    queue,
    setQueue,
    overview,
    series,
    stream,
    grid,
    errors,
    graph,
  };
}

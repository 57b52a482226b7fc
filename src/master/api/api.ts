// The HTTP API of a master: doors, then the routes of protocol/routes.ts. Read next: door.ts, bind.ts, submit.ts.
//
//   H1. Nothing is answered, and no body is read, before the door has let the request in (D1).
//   H2. Every answer waits until what it says is durable: handlers see the state through `ask` and `look`.
//   H3. Every error is a problem document with the request's id; what the master did not expect is logged.

import { fastify } from "fastify";
import type { FastifyInstance } from "fastify";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, Server } from "node:http";
import { systemClock } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { SkeinError, toProblem } from "../../protocol/errors.ts";
import type { Master } from "../context.ts";
import { bindRoutes } from "./bind.ts";
import { ClientWatch } from "./client-watch.ts";
import { createDoor, turnAway } from "./door.ts";
import type { CheckDoor } from "./door.ts";
import { JsonText } from "./handlers.ts";
import type { ApiContext, Handlers } from "./handlers.ts";
import { cancelJob, close, job, jobs, part } from "./jobs.ts";
import { logs } from "./logs.ts";
import { OpenRequests } from "./open-requests.ts";
import { openApi } from "./openapi.ts";
import { outcomes } from "./outcomes.ts";
import { payload, putPayload } from "./payloads.ts";
import { PoisonedBodies } from "./poisoned-bodies.ts";
import { createErrorHandler, problemType, sendProblem } from "./problems.ts";
import { queues, setQueue } from "./queues.ts";
import { results } from "./results.ts";
import { retryJob } from "./retry.ts";
import { status, version } from "./status.ts";
import { submit } from "./submit.ts";
import { task } from "./task-detail.ts";
import { tasks } from "./task-list.ts";
import { cancelTask, why } from "./tasks.ts";
import { drainWorker, workers } from "./workers.ts";

export interface Api {
  /** Not listening yet; its upgrades are the caller's, behind `checkDoor`. */
  readonly server: Server;
  readonly checkDoor: CheckDoor;
  /** Ends streams and waits, and closes the server. */
  close(): Promise<void>;
}

const headerBytesMax = 16 * 1024;
const headersMs = 10_000;
/** How often slow requests are looked for. */
const checkMs = 5_000;
/** A whole payload on a slow line: half a megabyte a second. */
const requestMs = 20 * 60_000;
/** Longer than any client keeps an idle connection, so that none is closed under a request. */
const keepAliveMs = 65_000;
const connectionsMax = 4_096;
/** The loop itself tells its callers after 5 s that it does not know (J3): this is for what it cannot tell. */
const answerMsDefault = 12_000;
/** Answers under way get this long when the master stops. */
const closeMs = 2_000;

export interface ApiOptions {
  readonly clock?: Clock;
  readonly answerMs?: number;
}

export function createApi(master: Master, options: ApiOptions = {}): Api {
  const { clock = systemClock, answerMs = answerMsDefault } = options;
  const newId = requestIds(master.identity.incarnation);
  const { token, settings } = master;
  const checkDoor = createDoor({ token, allowedHosts: settings.allowedHosts, newId });
  const context: ApiContext = {
    master,
    clock,
    watch: new ClientWatch({ master, clock }),
    open: new OpenRequests(),
    poisoned: new PoisonedBodies(clock),
  };
  const app = createApp(master, checkDoor, newId);
  // What a batch can hold, beside what else is decided in the same turn.
  const submitBytesMax = Math.floor(master.journal.batchBytesMax * 0.75);
  bindRoutes(app, context, createHandlers(master.version), { submitBytesMax, answerMs });
  const { server } = app;
  return {
    server,
    checkDoor,
    async close() {
      context.watch.stop();
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

function createApp(master: Master, checkDoor: CheckDoor, newId: () => string): FastifyInstance {
  const app = fastify({
    serverFactory: (handle) => {
      let ready = false;
      const listener: RequestListener = (request, response) => {
        const problem = checkDoor(request);
        if (problem) return turnAway(request, response, problem);
        response.setHeader("x-content-type-options", "nosniff");
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

function createHttpServer(listener: RequestListener): Server {
  const server = createServer(
    {
      maxHeaderSize: headerBytesMax,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkMs,
      keepAliveTimeout: keepAliveMs,
      noDelay: true,
    },
    listener,
  );
  server.maxConnections = connectionsMax;
  return server;
}

/** Bytes that are no HTTP request. */
function clientErrorHandler(error: NodeJS.ErrnoException, socket: IncomingMessage["socket"]): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [line, why] = notHttp(error.code);
  const status = Number(line.slice(0, 3));
  const problem = { ...toProblem(new SkeinError("bad_request", why)), status };
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${line}\r\nconnection: close\r\ncontent-type: ${problemType}\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function notHttp(code: string | undefined): [line: string, why: string] {
  if (code === "HPE_HEADER_OVERFLOW") {
    const why = `The headers are larger than ${headerBytesMax} bytes.`;
    return ["431 Request Header Fields Too Large", why];
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return ["408 Request Timeout", "The request did not come in time."];
  }
  return ["400 Bad Request", "This is no HTTP request."];
}

function createHandlers(version_: string): Handlers {
  let document: JsonText | undefined;
  return {
    version,
    openapi: async () => (document ??= new JsonText(JSON.stringify(openApi(version_)))),
    status,
    submit,
    part,
    close,
    jobs,
    job,
    cancelJob,
    retryJob,
    outcomes,
    results,
    tasks,
    task,
    cancelTask,
    why,
    logs,
    putPayload,
    payload,
    workers,
    drainWorker,
    queues,
    setQueue,
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), 20);
    const late = setTimeout(() => server.closeAllConnections(), closeMs);
    // A server that never listened says so, and is closed all the same.
    server.close(() => {
      clearInterval(idle);
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
  });
}

// Every error that crosses a boundary: code → HTTP status, CLI exit code, whether to try again, what to do.

export interface ErrorKind {
  readonly status: number;
  readonly exit: number;
  readonly retryable: boolean;
  readonly title: string;
  /** What to do; may be sharpened where the error is made. */
  readonly hint: string;
}

const kind = (
  status: number,
  exit: number,
  retryable: boolean,
  title: string,
  hint: string,
): ErrorKind => ({ status, exit, retryable, title, hint });

export const errorKinds = {
  bad_request: kind(400, 2, false, "The request is malformed", "Correct the named field."),
  bad_line: kind(400, 2, false, "A line of inputs is not JSON", "Send one JSON value a line."),
  unauthorized: kind(
    401,
    4,
    false,
    "No valid token",
    "Set SKEIN_TOKEN, or run where the data directory is readable.",
  ),
  forbidden_origin: kind(
    403,
    4,
    false,
    "A foreign web page sent this",
    "Call the API from a program, not from another site.",
  ),
  not_found: kind(
    404,
    3,
    false,
    "There is no such thing",
    "Check the id; `skein job list` shows what is there.",
  ),
  archive_gone: kind(
    410,
    3,
    false,
    "What was recorded of it is gone from the archive",
    "Restore the archive of this master from a backup, or submit the work anew.",
  ),
  ambiguous: kind(409, 5, false, "The prefix fits several ids", "Give more characters."),
  key_reused: kind(
    409,
    5,
    false,
    "The idempotency key was used with another body",
    "Use a new key for a new request.",
  ),
  key_expired: kind(
    409,
    5,
    false,
    "The idempotency key is too old to tell",
    "Look whether the job exists, then use a new key.",
  ),
  conflict: kind(409, 5, false, "The state does not allow it", "Look at the current state first."),
  count_differs: kind(
    409,
    5,
    false,
    "Other jobs fit than were expected",
    "Look at what fits now, and ask again with that count.",
  ),
  job_closed: kind(409, 5, false, "The job is closed", "Inputs can only be added to an open job."),
  part_differs: kind(
    409,
    5,
    false,
    "This part was sent before with other bytes",
    "Send the same bytes, or the next part.",
  ),
  part_gap: kind(
    409,
    5,
    false,
    "A part before this one is missing",
    "Send parts in order, from 0.",
  ),
  payload_missing: kind(
    409,
    5,
    false,
    "A payload is named that is not stored",
    "Upload it first: PUT /v1/payloads/{hash}.",
  ),
  payload_differs: kind(
    422,
    2,
    false,
    "The bytes do not have this hash",
    "Hash the bytes you send with SHA-256.",
  ),
  too_large: kind(413, 9, false, "Too large", "Send it in parts, or store it as a payload."),
  unsupported_media: kind(
    415,
    2,
    false,
    "Unsupported content type",
    "Send application/json, application/x-ndjson or application/octet-stream.",
  ),
  wrong_host: kind(
    421,
    4,
    false,
    "Unknown Host header",
    "Use an address the master was started with (--allow-host adds one).",
  ),
  invalid: kind(422, 2, false, "The request makes no sense", "Correct the named field."),
  unknown_queue: kind(422, 2, false, "There is no such queue", "Use one of the listed queues."),
  unknown_dependency: kind(
    422,
    2,
    false,
    "A job is named that does not exist",
    "Submit the job it waits for first.",
  ),
  request_poisonous: kind(
    422,
    70,
    false,
    "This request made the master stumble before",
    "Report it with the id; the same body is refused for a minute.",
  ),
  overloaded: kind(
    429,
    9,
    true,
    "The cluster takes no more work now",
    "Try again after the time in Retry-After.",
  ),
  queue_full: kind(
    429,
    9,
    true,
    "The queue is full",
    "Try again later, or raise the queue's limit.",
  ),
  internal: kind(500, 70, true, "An error inside the master", "Report it with the id."),
  data_unusable: kind(
    500,
    5,
    false,
    "What this master keeps on its disk cannot be used",
    "Keep all files of the data directory until it is understood.",
  ),
  not_leading: kind(
    503,
    7,
    true,
    "This master does not lead",
    "Ask the leader; clients do so by themselves. `skein master list` shows who leads.",
  ),
  stalled: kind(
    503,
    7,
    true,
    "The journal does not answer",
    "Try again; look at the master's disk.",
  ),
  outcome_unknown: kind(
    503,
    7,
    true,
    "It is not known yet whether this was done",
    "Send the same request again with the same key.",
  ),
  journal_full: kind(
    507,
    9,
    true,
    "The journal or the disk is nearly full",
    "Free space; results are still taken.",
  ),
  unreachable: kind(
    503,
    7,
    true,
    "No master answers",
    "Start one with `skein up`, or set SKEIN_URL.",
  ),
  worker_away: kind(
    503,
    7,
    true,
    "The worker that keeps this is not connected now",
    "Try again; `skein worker list` shows whether it comes back.",
  ),
  wait_expired: kind(
    504,
    6,
    true,
    "The wait is over, the job goes on",
    "Ask again, or look at it with `skein job get`.",
  ),
  // Worker sessions
  protocol_version: kind(
    426,
    2,
    false,
    "No common version of the protocol",
    "Upgrade the older side.",
  ),
  foreign_journal: kind(
    409,
    5,
    false,
    "This worker works for another cluster",
    "Give it a fresh data directory, or the right address.",
  ),
  worker_id_in_use: kind(
    409,
    5,
    false,
    "Another worker uses this id",
    "Start one of them with another --id.",
  ),
  // SDK
  inside_task: kind(
    422,
    2,
    false,
    "connect() was called while a task's module was loaded",
    "Call connect() inside a function or behind `if (import.meta.main)`.",
  ),
  bundle_failed: kind(
    422,
    2,
    false,
    "The module that defines the task cannot be used",
    "Correct the named import.",
  ),
  unknown_task: kind(
    422,
    2,
    false,
    "The module does not export this task",
    "Export the task from the module that defines it.",
  ),
  bad_input: kind(422, 2, false, "An input was refused by the task's schema", "Correct the input."),
  task_failed: kind(422, 1, false, "A task failed", "Look at its error and log."),
  usage: kind(400, 2, false, "Usage", "See --help."),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

export interface ErrorDetails {
  /** What to do now, when it is sharper than the table's. */
  readonly hint?: string;
  /** Seconds until trying again makes sense. */
  readonly retryAfter?: number;
  /** Fields that are wrong: JSON pointer and sentence. */
  readonly fields?: readonly { readonly pointer: string; readonly detail: string }[];
  readonly cause?: unknown;
  /** Request id, for finding the log line. */
  readonly instance?: string;
  /** Of `not_leading`: the address of the master that leads. */
  readonly leader?: string;
}

/** The one error class. `message` says what and why; `hint` says what to do. */
export class SkeinError extends Error {
  override readonly name = "SkeinError";
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint ?? errorKinds[code].hint;
    this.details = details;
  }

  get kind(): ErrorKind {
    return errorKinds[this.code];
  }
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorKinds, text);
}

/** RFC 9457 problem details. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retryable: boolean;
  readonly instance?: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
  readonly leader?: string;
}

export function toProblem(error: SkeinError): Problem {
  return {
    type: `urn:skein:error:${error.code}`,
    title: error.kind.title,
    status: error.kind.status,
    detail: error.message,
    code: error.code,
    hint: error.hint,
    retryable: error.kind.retryable,
    ...(error.details.instance === undefined ? {} : { instance: error.details.instance }),
    ...(error.details.fields === undefined ? {} : { errors: error.details.fields }),
    ...(error.details.leader === undefined ? {} : { leader: error.details.leader }),
  };
}

export function fromProblem(problem: Partial<Problem>, retryAfter?: number): SkeinError {
  const code = problem.code !== undefined && isErrorCode(problem.code) ? problem.code : "internal";
  return new SkeinError(code, problem.detail ?? problem.title ?? "The master gave no reason", {
    ...(problem.hint === undefined ? {} : { hint: problem.hint }),
    ...(problem.instance === undefined ? {} : { instance: problem.instance }),
    ...(problem.errors === undefined ? {} : { fields: problem.errors }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(typeof problem.leader === "string" ? { leader: problem.leader } : {}),
  });
}

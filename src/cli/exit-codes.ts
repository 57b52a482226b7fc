// What the exit code of `skein` says. Errors find theirs in the table of protocol/errors.ts.

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  unauthorized: 4,
  conflict: 5,
  timeout: 6,
  unreachable: 7,
  partly: 8,
  limit: 9,
  internal: 70,
  interrupted: 130,
  pipe: 141,
} as const;

export const exitCodeTexts: readonly (readonly [code: number, text: string])[] = [
  [exitCodes.ok, "done"],
  [exitCodes.failed, "a task or job failed; `skein run` gives the command's own exit code instead"],
  [exitCodes.usage, "the command line or its input is wrong"],
  [exitCodes.notFound, "there is no such job, task, worker or queue"],
  [exitCodes.unauthorized, "no valid token"],
  [exitCodes.conflict, "the state does not allow it"],
  [exitCodes.timeout, "the wait is over, the work goes on"],
  [exitCodes.unreachable, "no master answers"],
  [exitCodes.partly, "some of several were done, some not"],
  [exitCodes.limit, "a limit is reached: try again later"],
  [exitCodes.internal, "an error inside Skein: please report it"],
  [exitCodes.interrupted, "interrupted (Ctrl-C)"],
  [exitCodes.pipe, "nobody reads the output any more"],
];

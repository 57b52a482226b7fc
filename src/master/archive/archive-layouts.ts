// The tables of an archive, one layout after the other: a new one is made by all of them, an old one by those it
// has not had yet. What stands here never changes; a change is one more layout.
//
// Positions are packed into row ids, so that the big tables need no index for their own order:
// blocks.at = index × 2^20 + n (more entries than a batch has bytes), inputs.at = job × 2^24 +
// first.

const first = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
  CREATE TABLE lacks (first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
  -- state: 0 unfinished, 1 succeeded, 2 failed, 3 cancelled. retired: 2 while it is being pruned.
  CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, queue TEXT NOT NULL, labels TEXT NOT NULL,
    state INTEGER NOT NULL, retired INTEGER NOT NULL, created INTEGER NOT NULL, ended INTEGER,
    ended_index INTEGER, bytes INTEGER NOT NULL, json TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX jobs_id ON jobs (id);
  CREATE INDEX jobs_retired ON jobs (ended, number) WHERE retired > 0;
  CREATE INDEX jobs_half_pruned ON jobs (number) WHERE retired = 2;
  -- A tag is what jobs are asked by: a queue, a label, both, or nothing but their state ('').
  CREATE TABLE tags (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    n0 INTEGER NOT NULL, n1 INTEGER NOT NULL, n2 INTEGER NOT NULL, n3 INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE tagged (
    tag INTEGER NOT NULL, state INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (tag, state, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE inputs (at INTEGER PRIMARY KEY, count INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
  CREATE TABLE blocks (
    at INTEGER PRIMARY KEY, job INTEGER NOT NULL, bin INTEGER NOT NULL, states INTEGER NOT NULL,
    wall INTEGER NOT NULL, worker TEXT NOT NULL, block BLOB NOT NULL
  ) STRICT;
  CREATE INDEX blocks_job ON blocks (job);
  CREATE INDEX blocks_bin ON blocks (job, bin);
  CREATE INDEX blocks_unsuccessful ON blocks (job) WHERE states > 1;
  CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY, job INTEGER NOT NULL, task INTEGER NOT NULL, attempt INTEGER NOT NULL,
    code INTEGER NOT NULL, charged INTEGER NOT NULL, started INTEGER NOT NULL,
    ended INTEGER NOT NULL, micros INTEGER NOT NULL, log_bytes INTEGER NOT NULL,
    worker TEXT NOT NULL, error BLOB
  ) STRICT;
  CREATE INDEX attempts_task ON attempts (job, task);
`;

/** The timeline. at = index × 2^20 + n; many: 1 of jobs and attempts, 0 of all else. */
const timeline = `
  ALTER TABLE jobs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE timeline (
    at INTEGER PRIMARY KEY, wall INTEGER NOT NULL, kind TEXT NOT NULL, many INTEGER NOT NULL,
    level TEXT NOT NULL, text TEXT NOT NULL,
    job TEXT NOT NULL, worker TEXT NOT NULL, queue TEXT NOT NULL, master TEXT NOT NULL
  ) STRICT;
  CREATE INDEX timeline_kind ON timeline (kind);
  CREATE INDEX timeline_many ON timeline (many);
  CREATE INDEX timeline_job ON timeline (job) WHERE job <> '';
  CREATE INDEX timeline_worker ON timeline (worker) WHERE worker <> '';
  INSERT INTO meta (key, value)
    SELECT 'timeline_floor', iif(value = 0, 0, value + 1)
    FROM meta WHERE key = 'watermark';
  INSERT INTO meta (key, value) VALUES ('timeline_memory', '[]');
`;

/** Jobs by more than queue and label; one index holds all that a list is asked by, so that it is looked at alone. */
const listed = `
  ALTER TABLE jobs ADD COLUMN task TEXT NOT NULL DEFAULT '';
  ALTER TABLE jobs ADD COLUMN principal TEXT NOT NULL DEFAULT '';
  UPDATE jobs SET task = ifnull(json ->> 'task', ''), principal = ifnull(json ->> 'by', '')
    WHERE json_valid(json);
  CREATE INDEX jobs_listed ON jobs (created, state, retired, ended, queue, task, principal);
`;

/** Attempts of a worker, and those of a job in the order recorded. */
const attempts = `
  CREATE INDEX blocks_worker ON blocks (worker) WHERE worker <> '';
  CREATE INDEX attempts_worker ON attempts (worker);
  CREATE INDEX attempts_job ON attempts (job);
`;

export const layouts: readonly string[] = [first, timeline, listed, attempts];

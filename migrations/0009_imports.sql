-- How far each import came (authctl import), written in the statement that makes its users: whatever ends it, the next run goes on there.
CREATE TABLE imports (
  source text PRIMARY KEY, -- file:/path or postgresql://host:port/database/schema.table, without who reads it
  fingerprint text NOT NULL, -- of a file's beginning: another export under the same name is another import
  position bigint NOT NULL, -- last row done: its id, or its line
  next_byte bigint NOT NULL DEFAULT 0, -- of a file: where the next line begins
  counts jsonb NOT NULL, -- imported, present, rejected by reason, algorithms
  rejects_bytes bigint NOT NULL DEFAULT 0, -- what the file of rejects held then
  actor text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz -- when it came to the end of its source
);

-- Rows that were not imported. When all is gone through again, a row that is neither here nor among the users was imported, and its owner
-- has deleted the account since: it must not come back.
CREATE TABLE import_rejects (
  source text NOT NULL REFERENCES imports ON DELETE CASCADE,
  position bigint NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (source, position)
);

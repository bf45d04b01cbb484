-- The audit (src/audit/chain.ts), and what erasing and exporting an account need.

-- What commits leave here, sealed under a data key, the relay chains within a second or so and takes away. Ids of one user's rows are in the
-- order of his commits, because his row is locked until then.
CREATE SEQUENCE audit_ids;
CREATE TABLE audit_intake (
  id bigint PRIMARY KEY DEFAULT nextval('audit_ids'),
  box bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE audit (
  number bigint NOT NULL, -- place in the chain, given when it is chained: 1, 2, 3 over all partitions
  chained_at timestamptz NOT NULL,
  event_id uuid NOT NULL, -- that of the record in auth.event
  at timestamptz NOT NULL,
  event text NOT NULL,
  actor text NOT NULL,
  user_id bigint, -- whom it is about; null where the login is nobody's
  outcome text NOT NULL, -- ok, or the code of the refusal
  traceparent text,
  details json NOT NULL, -- what is nobody's personal data; json keeps the very text that is chained
  personal bytea, -- the rest, sealed under the key of the user (subject_keys)
  chain bytea NOT NULL, -- SHA-256 over the previous row's chain and this row
  PRIMARY KEY (number, chained_at)
) PARTITION BY RANGE (chained_at);
CREATE INDEX audit_of_user ON audit (user_id, number) WHERE user_id IS NOT NULL;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are written once', TG_TABLE_NAME;
END $$;
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Where the chain ends, sealed: who can only write to the database can put rows behind its end, but not make the relay go on from there.
CREATE TABLE audit_state (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  box bytea NOT NULL
);

-- Signed heads: a JWS over {partition, count, chain, at}. The last one of a dropped partition stays, and the rest is verified from it.
CREATE TABLE audit_heads (
  number bigint PRIMARY KEY,
  partition text NOT NULL,
  signed_at timestamptz NOT NULL,
  jws text NOT NULL
);

-- Public halves of the keys that signed heads, sealed so that nobody can add one. A key pair of the fleet is gone long before its heads are.
CREATE TABLE audit_keys (
  kid text PRIMARY KEY,
  box bytea NOT NULL
);

-- What personal data in the audit is sealed under, one key for each user, itself sealed under a data key. It goes with the user.
CREATE TABLE subject_keys (
  user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  box bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Makes the audit's partitions of this month and the next ones; drops those whose every row is older than `keep`, the oldest first, and only
-- where a head stands at the end.
CREATE FUNCTION turn_audit(ahead integer, keep interval) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
  start timestamp;
  part record;
  last bigint;
  dropped integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('turn_audit'));
  FOR i IN 0..ahead LOOP
    start := month + make_interval(months => i);
    EXECUTE format('CREATE TABLE IF NOT EXISTS audit_%s PARTITION OF audit FOR VALUES FROM (%L) TO (%L)',
      to_char(start, 'YYYYMM'), start::text || '+00', (start + interval '1 month')::text || '+00');
  END LOOP;
  FOR part IN
    SELECT c.relname, to_date(substr(c.relname, 7), 'YYYYMM') + interval '1 month' AS over
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit'::regclass AND c.relname ~ '^audit_\d{6}$' ORDER BY c.relname
  LOOP
    EXIT WHEN part.over > (now() AT TIME ZONE 'UTC') - keep;
    EXECUTE format('SELECT max(number) FROM %I', part.relname) INTO last;
    EXIT WHEN last IS NOT NULL AND NOT EXISTS (SELECT FROM audit_heads WHERE number = last);
    EXECUTE format('DROP TABLE %I', part.relname);
    DELETE FROM audit_heads WHERE number < last;
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;
SELECT turn_audit(2, interval '100 years');

-- All sessions of a user, the ended ones too: erasing him clears them, and so does the foreign key.
CREATE INDEX sessions_by_user ON sessions (user_id) WHERE user_id IS NOT NULL;

-- When the user last took a copy of everything held about him.
ALTER TABLE users ADD COLUMN exported_at timestamptz;

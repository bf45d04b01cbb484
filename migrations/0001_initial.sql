-- The first form of everything: users and what they log in with, sessions, one-time tokens, inbox, outbox, keys, schema texts.
-- Times are the database's own. ids of users are bigint and never used twice.

CREATE SEQUENCE user_ids;

CREATE TABLE users (
  id bigint PRIMARY KEY,
  login text NOT NULL,
  login_key text NOT NULL CONSTRAINT users_login_unique UNIQUE, -- NFKC, lower case
  username text NOT NULL,
  email text NOT NULL,
  email_key text NOT NULL CONSTRAINT users_email_unique UNIQUE, -- NFKC, lower case
  created_at timestamptz NOT NULL DEFAULT now(),
  confirmed_at timestamptz,
  banned_at timestamptz,
  generation integer NOT NULL DEFAULT 0, -- access tokens of an older generation count no more
  sequence bigint NOT NULL DEFAULT 0 -- number of this user's last event
) WITH (fillfactor = 80); -- each login updates sequence in place (HOT)

CREATE TABLE credentials (
  user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('password')),
  hash text NOT NULL, -- PHC string: algorithm, parameters, salt and hash in one
  changed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, kind)
);

CREATE TABLE roles (
  id smallint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL UNIQUE
);
INSERT INTO roles (name) VALUES ('admin'), ('user');

CREATE TABLE user_roles (
  user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
  role_id smallint NOT NULL REFERENCES roles,
  PRIMARY KEY (user_id, role_id)
);

CREATE TABLE sessions (
  id uuid PRIMARY KEY,
  user_id bigint REFERENCES users ON DELETE SET NULL, -- the row outlives its user, so that an old token is told it is over
  rotating boolean NOT NULL,
  refresh_hash bytea NOT NULL, -- SHA-256 of the current secret
  previous_hash bytea,
  refresh_key integer NOT NULL, -- data key that successors are derived with
  rotations integer NOT NULL DEFAULT 0,
  rotated_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL, -- absolute end
  ended_at timestamptz,
  end_reason text,
  amr text[] NOT NULL,
  client jsonb
) WITH (fillfactor = 80);
CREATE INDEX sessions_of_user ON sessions (user_id) WHERE ended_at IS NULL;

CREATE TABLE one_time_tokens (
  id uuid PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
  purpose text NOT NULL CHECK (purpose IN ('confirm')),
  secret_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX one_time_tokens_of_user ON one_time_tokens (user_id, purpose, created_at);

-- The first answer to each request that changed or counted something. A table partitioned by time could not hold this uniqueness.
CREATE TABLE inbox (
  topic text NOT NULL,
  reply_topic text NOT NULL,
  idempotency_key bytea NOT NULL,
  fingerprint bytea NOT NULL, -- HMAC over the opened request
  reply bytea NOT NULL, -- encrypted under a data key
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (topic, reply_topic, idempotency_key)
) PARTITION BY HASH (topic, reply_topic, idempotency_key);
DO $$ BEGIN
  FOR i IN 0..7 LOOP
    EXECUTE format('CREATE TABLE inbox_%s PARTITION OF inbox FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
    EXECUTE format('CREATE INDEX ON inbox_%s (expires_at)', i);
  END LOOP;
END $$;

-- What has to be published. Ids of one user's rows are in the order of their sequence, because the user's row is locked from its
-- new sequence number until the commit; a shard holds all rows of a user.
CREATE SEQUENCE outbox_ids;
CREATE TABLE outbox (
  id bigint NOT NULL DEFAULT nextval('outbox_ids'),
  created_at timestamptz NOT NULL DEFAULT now(),
  shard smallint NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  kind text NOT NULL, -- name of an event, or mail, or json
  event_id uuid NOT NULL,
  user_id bigint,
  sequence bigint,
  actor text NOT NULL,
  traceparent text,
  body jsonb NOT NULL,
  secret bytea, -- what of the body may not stand in clear, encrypted under a data key
  published_at timestamptz,
  PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX outbox_unpublished ON outbox (shard, id) WHERE published_at IS NULL;

-- Makes the outbox partitions of today and the next days, and drops those of past days whose every row is published.
CREATE FUNCTION turn_outbox(days integer, keep interval) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  day date;
  part record;
  waiting boolean;
  dropped integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('turn_outbox'));
  FOR i IN 0..days LOOP
    day := (now() AT TIME ZONE 'UTC')::date + i;
    EXECUTE format('CREATE TABLE IF NOT EXISTS outbox_%s PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)',
      to_char(day, 'YYYYMMDD'), day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
  END LOOP;
  FOR part IN
    SELECT c.relname, to_date(substr(c.relname, 8), 'YYYYMMDD') AS day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_\d{8}$'
  LOOP
    CONTINUE WHEN part.day + 1 > (now() AT TIME ZONE 'UTC')::date - keep;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE published_at IS NULL)', part.relname) INTO waiting;
    CONTINUE WHEN waiting;
    EXECUTE format('DROP TABLE %I', part.relname);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;
SELECT turn_outbox(3, interval '1 day');

-- A commit that finds the world other than its handler read it takes itself back with SQLSTATE AU409; the handler starts anew.
CREATE FUNCTION must_be(actual bigint, expected bigint, what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF actual IS DISTINCT FROM expected THEN
    RAISE EXCEPTION USING ERRCODE = 'AU409', MESSAGE = what;
  END IF;
  RETURN true;
END $$;

-- Keys that encrypt what the database keeps; themselves encrypted under AUTH_MASTER_KEY.
CREATE TABLE data_keys (
  id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  purpose text NOT NULL,
  wrapped text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Key pairs of the fleet: use sig signs access tokens, use enc opens sealed requests.
CREATE TABLE fleet_keys (
  kid text PRIMARY KEY,
  use text NOT NULL CHECK (use IN ('sig', 'enc')),
  alg text NOT NULL,
  state text NOT NULL CHECK (state IN ('next', 'active', 'retired')),
  public_jwk jsonb NOT NULL,
  private_box bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  active_at timestamptz,
  retired_at timestamptz
);
CREATE UNIQUE INDEX one_active_fleet_key ON fleet_keys (use) WHERE state = 'active';

-- What migrate registered, so that a worker starts while the registry is down.
CREATE TABLE schemas (
  id integer NOT NULL,
  subject text NOT NULL,
  text text NOT NULL,
  PRIMARY KEY (subject, id)
);

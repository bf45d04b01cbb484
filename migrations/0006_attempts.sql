-- Attempts at passwords and codes. One row per account and factor, since only a row's lock counts parallel guesses exactly: a table that is
-- partitioned by time can hold no such row. So rows of past days are deleted in small batches, as the inbox's are. A row is small, and
-- changed in place (HOT): `day`, the only indexed column that changes, does so once a day.
CREATE TYPE attempt AS (
  place bytea, -- HMAC of the device, if the account knows it, else of the network
  kind text, -- network, device, session (somebody logged in), unknown (the requester did not say whom it serves)
  key bytea, -- HMAC of the request: a redelivered one counts once
  at timestamptz
);

CREATE TABLE login_attempts (
  subject bytea PRIMARY KEY, -- HMAC of factor and login, whether there is such a login or not
  user_id bigint,
  day date NOT NULL DEFAULT current_date, -- of the last attempt
  attempts attempt[] NOT NULL -- those under way and those that failed, of the last 24 hours
) WITH (fillfactor = 70);
CREATE INDEX login_attempts_day ON login_attempts (day);
CREATE INDEX login_attempts_of_user ON login_attempts (user_id) WHERE user_id IS NOT NULL;

-- From where an account was logged in to: guesses from elsewhere do not delay these.
CREATE TABLE known_devices (
  subject bytea NOT NULL, -- HMAC of the login, so that a login without an account is looked up at the same cost
  device bytea NOT NULL, -- HMAC of network and device
  user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
  seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subject, device)
);
CREATE INDEX known_devices_of_user ON known_devices (user_id);
CREATE INDEX known_devices_seen ON known_devices (seen_at); -- changes once a day at most

-- How long to wait after so many failures: nothing while they are fewer than `free`, then `first`, doubled each time, up to `longest`.
CREATE FUNCTION attempt_delay(failures bigint, free integer, first_ms bigint, longest_ms bigint) RETURNS interval IMMUTABLE LANGUAGE sql AS $$
  SELECT CASE WHEN failures < free THEN interval '0'
    ELSE least(longest_ms, first_ms * (1::bigint << least(failures - free, 30)::integer)) * interval '1 millisecond' END
$$;

-- Counts an attempt before it is verified, or says how long it has to wait; then nothing is written. Exact however many ask at once: a
-- row that has changed since it was read is read again. Every statement of a volatile function sees what was committed before it.
-- Returns {"waitMs": 0 where it is counted, "device": "new", "stale" (known, but seen more than a day ago) or "known"}.
CREATE FUNCTION reserve_attempt(who bytea, account bigint, login_named text, tried attempt, known_as bytea, device bytea, rules jsonb)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  moment timestamptz;
  seen timestamptz;
  stored attempt[];
  counted record;
  until timestamptz;
  changed bigint;
  state text := 'new';
BEGIN
  SELECT d.seen_at INTO seen FROM known_devices d WHERE d.subject = known_as AND d.device = reserve_attempt.device
    AND d.seen_at > now() - (rules->>'deviceTtlMs')::bigint * interval '1 millisecond';
  IF seen IS NOT NULL AND tried.kind <> 'session' THEN
    state := CASE WHEN seen > now() - interval '1 day' THEN 'known' ELSE 'stale' END;
    tried.place := device;
    tried.kind := 'device';
  END IF;
  LOOP
    moment := clock_timestamp();
    tried.at := moment;
    SELECT l.attempts INTO stored FROM login_attempts l WHERE l.subject = who;
    IF cardinality(stored) > 0 THEN
      SELECT COALESCE(bool_or(a.key = tried.key), false) AS again,
        count(*) FILTER (WHERE a.place = tried.place) AS here, max(a.at) FILTER (WHERE a.place = tried.place) AS last_here,
        count(*) FILTER (WHERE a.kind IN ('network', 'unknown')) AS elsewhere,
        max(a.at) FILTER (WHERE a.kind IN ('network', 'unknown')) AS last_elsewhere,
        (array_agg(a.at ORDER BY a.at DESC) FILTER (WHERE a.kind = 'network'))[(rules->>'most')::integer] AS too_many_since
        INTO counted FROM unnest(stored) AS a WHERE a.at > moment - interval '1 day';
      EXIT WHEN counted.again;
      until := counted.last_here + attempt_delay(counted.here, (rules->>'free')::integer, (rules->>'delayMs')::bigint,
        CASE WHEN tried.kind = 'unknown' THEN (rules->>'accountDelayMaxMs')::bigint ELSE (rules->>'delayMaxMs')::bigint END);
      IF tried.kind IN ('network', 'unknown') THEN
        until := greatest(until, counted.last_elsewhere + attempt_delay(counted.elsewhere, (rules->>'accountFree')::integer,
          (rules->>'delayMs')::bigint, (rules->>'accountDelayMaxMs')::bigint));
      END IF;
      IF tried.kind = 'network' THEN
        until := greatest(until, counted.too_many_since + interval '1 day');
      END IF;
      IF until > moment THEN
        RETURN jsonb_build_object('device', state, 'waitMs', ceil(extract(epoch FROM until - moment) * 1000));
      END IF;
    END IF;
    IF account IS NULL THEN
      SELECT u.id INTO account FROM users u WHERE u.login_key = login_named;
    END IF;
    -- Whatever answer follows is committed after this and flushes it too; so nothing that anybody was told is lost with the server.
    PERFORM set_config('synchronous_commit', 'off', true);
    IF stored IS NULL THEN
      INSERT INTO login_attempts (subject, user_id, attempts) VALUES (who, account, ARRAY[tried]) ON CONFLICT DO NOTHING;
    ELSE
      UPDATE login_attempts l SET user_id = COALESCE(account, l.user_id), day = current_date, attempts = ARRAY(
          SELECT a FROM unnest(stored) AS a WHERE a.at > moment - interval '1 day' ORDER BY a.at DESC LIMIT 199) || tried
        WHERE l.subject = who AND l.attempts = stored;
    END IF;
    GET DIAGNOSTICS changed = ROW_COUNT;
    EXIT WHEN changed = 1;
  END LOOP;
  RETURN jsonb_build_object('device', state, 'waitMs', 0);
END $$;

-- Stand-ins for users who are not there, so that asking about an address costs the same statements whether somebody has it or not: a row
-- to lock and number, and tokens that nobody gets (src/db/dummy-user.ts). Sixty-four, so that those who ask seldom wait for each other.
CREATE TABLE stand_ins (
  id smallint PRIMARY KEY,
  sequence bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO stand_ins (id) SELECT generate_series(0, 63);

CREATE TABLE stand_in_tokens (
  id uuid PRIMARY KEY,
  stand_in smallint NOT NULL REFERENCES stand_ins,
  purpose text NOT NULL,
  secret_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX stand_in_tokens_of ON stand_in_tokens (stand_in, purpose, created_at);

-- Accounts that only keep a login taken: registered with AUTH_HIDE_EMAIL and an address that somebody has (src/handlers/account/register.ts).
CREATE INDEX users_decoys ON users (created_at) WHERE email_key LIKE 'taken:%';

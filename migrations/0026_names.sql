-- Names: one word for one meaning. Columns that hold what is encrypted under data keys are called `encrypted...`, the keys
-- that limits count by `limiter_key`, dummy users and quarantined logins by these words; functions say what they do.
ALTER TABLE stand_ins RENAME TO dummy_users;
ALTER INDEX stand_ins_pkey RENAME TO dummy_users_pkey;
ALTER TABLE stand_in_tokens RENAME TO dummy_user_tokens;
ALTER TABLE dummy_user_tokens RENAME COLUMN stand_in TO dummy_user_id;
ALTER INDEX stand_in_tokens_pkey RENAME TO dummy_user_tokens_pkey;
ALTER INDEX stand_in_tokens_of RENAME TO dummy_user_tokens_of;
ALTER TABLE dummy_user_tokens RENAME CONSTRAINT stand_in_tokens_stand_in_fkey TO dummy_user_tokens_dummy_user_id_fkey;

ALTER TABLE given_up_logins RENAME TO quarantined_logins;
ALTER INDEX given_up_logins_pkey RENAME TO quarantined_logins_pkey;
ALTER INDEX given_up_logins_of_user RENAME TO quarantined_logins_of_user;
ALTER INDEX given_up_logins_until RENAME TO quarantined_logins_until;

ALTER TABLE subject_keys RENAME TO user_keys;
ALTER INDEX subject_keys_pkey RENAME TO user_keys_pkey;
ALTER TABLE user_keys RENAME CONSTRAINT subject_keys_user_id_fkey TO user_keys_user_id_fkey;

ALTER TABLE audit_intake RENAME COLUMN box TO encrypted;
ALTER TABLE audit_keys RENAME COLUMN box TO encrypted;
ALTER TABLE audit_state RENAME COLUMN box TO encrypted;
ALTER TABLE user_keys RENAME COLUMN box TO encrypted;
ALTER TABLE operators RENAME COLUMN box TO encrypted;
ALTER TABLE fleet_keys RENAME COLUMN private_box TO encrypted_private_key;
ALTER TABLE root_keys RENAME COLUMN private_box TO encrypted_private_key;

ALTER TABLE address_mails RENAME COLUMN subject TO limiter_key;
ALTER TABLE login_attempts RENAME COLUMN subject TO limiter_key;
ALTER TABLE network_uses RENAME COLUMN subject TO limiter_key;
ALTER TABLE known_devices RENAME COLUMN subject TO account_key;
ALTER TYPE use_limit RENAME ATTRIBUTE subject TO limiter_key;
ALTER TYPE attempt RENAME ATTRIBUTE place TO source;

DROP FUNCTION take_back_use;
DROP FUNCTION refund_attempt;
DROP FUNCTION reserve_attempt;
DROP FUNCTION session_stands;
DROP FUNCTION turn_outbox;
DROP FUNCTION turn_audit;

CREATE OR REPLACE FUNCTION refund_use(limiter_keys bytea[])
 RETURNS boolean
 LANGUAGE plpgsql
AS $$
BEGIN
  FOR n IN 1 .. COALESCE(cardinality(limiter_keys), 0) LOOP
    UPDATE network_uses SET level = greatest(0, level - 1) WHERE limiter_key = limiter_keys[n];
  END LOOP;
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION use_over(limits use_limit[])
 RETURNS jsonb
 LANGUAGE plpgsql
AS $$
DECLARE
  worst record;
BEGIN
  IF COALESCE(cardinality(limits), 0) = 0 THEN
    RETURN NULL;
  END IF;
  SELECT l.name, (level_now(u.level, u.at, l.per_second) + 1 - l.burst) / l.per_second AS seconds INTO worst
    FROM unnest(limits) AS l, LATERAL (SELECT n.level, n.at FROM network_uses n WHERE n.limiter_key = l.limiter_key LIMIT 1) AS u
    ORDER BY seconds DESC LIMIT 1;
  IF worst.seconds > 0 THEN
    RETURN jsonb_build_object('waitMs', greatest(1, ceil(worst.seconds * 1000)), 'limit', worst.name);
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION count_use(limits use_limit[])
 RETURNS jsonb
 LANGUAGE plpgsql
AS $$
DECLARE
  room use_limit;
  over jsonb;
  changed bigint;
BEGIN
  over := use_over(limits); -- in a flood most end here, without a lock and without a write
  IF over IS NOT NULL THEN
    RETURN over;
  END IF;
  -- What follows in the handler's commit flushes this too; what is lost with the server before that, nobody was told.
  PERFORM set_config('synchronous_commit', 'off', true);
  FOR n IN 1 .. COALESCE(cardinality(limits), 0) LOOP
    room := limits[n];
    INSERT INTO network_uses AS u (limiter_key, level, at) VALUES (room.limiter_key, 1, clock_timestamp())
      ON CONFLICT (limiter_key) DO UPDATE SET level = level_now(u.level, u.at, room.per_second) + 1,
        at = greatest(u.at, clock_timestamp()), day = current_date
      WHERE level_now(u.level, u.at, room.per_second) + 1 <= room.burst;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 0 THEN
      PERFORM refund_use(ARRAY(SELECT l.limiter_key FROM unnest(limits) WITH ORDINALITY AS l WHERE l.ordinality < n ORDER BY l.ordinality));
      RETURN COALESCE(use_over(limits), jsonb_build_object('waitMs', 1, 'limit', room.name));
    END IF;
  END LOOP;
  RETURN jsonb_build_object('waitMs', 0);
END $$;

CREATE OR REPLACE FUNCTION refund_attempt(counted_by bytea, at_source bytea, uses bytea[])
 RETURNS boolean
 LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE login_attempts l SET attempts = ARRAY(SELECT a FROM unnest(l.attempts) AS a WHERE a.source <> at_source) WHERE l.limiter_key = counted_by;
  RETURN FOUND AND refund_use(uses);
END $$;

CREATE OR REPLACE FUNCTION reserve_attempt(counted_by bytea, account bigint, login_named text, tried attempt, device_owner bytea, device bytea, rules jsonb, token_source bytea, token_epoch integer, limits use_limit[])
 RETURNS jsonb
 LANGUAGE plpgsql
AS $$
DECLARE
  moment timestamptz;
  seen timestamptz;
  stored attempt[];
  counted record;
  until timestamptz;
  over jsonb;
  changed bigint;
  state text := 'new';
BEGIN
  IF token_epoch IS NOT NULL AND EXISTS (SELECT FROM users u WHERE u.login_key = login_named AND u.device_epoch = token_epoch) THEN
    state := 'token';
    tried.source := token_source;
    tried.kind := 'device';
  ELSE
    SELECT d.seen_at INTO seen FROM known_devices d WHERE d.account_key = device_owner AND d.device = reserve_attempt.device
      AND d.seen_at > now() - (rules->>'deviceTtlMs')::bigint * interval '1 millisecond';
    IF seen IS NOT NULL AND tried.kind <> 'session' THEN
      state := CASE WHEN seen > now() - interval '1 day' THEN 'known' ELSE 'stale' END;
      tried.source := device;
      tried.kind := 'device';
    END IF;
  END IF;
  IF state <> 'new' THEN
    limits := ARRAY(SELECT (l.name, l.limiter_key, l.burst, l.per_second, l.known)::use_limit
      FROM unnest(limits) WITH ORDINALITY AS l WHERE l.known ORDER BY l.ordinality);
  END IF;
  LOOP
    moment := clock_timestamp();
    tried.at := moment;
    SELECT l.attempts INTO stored FROM login_attempts l WHERE l.limiter_key = counted_by;
    IF cardinality(stored) > 0 THEN
      SELECT COALESCE(bool_or(a.key = tried.key), false) AS again,
        count(*) FILTER (WHERE a.source = tried.source) AS here, max(a.at) FILTER (WHERE a.source = tried.source) AS last_here,
        count(*) FILTER (WHERE a.kind IN ('network', 'unknown')) AS elsewhere,
        max(a.at) FILTER (WHERE a.kind IN ('network', 'unknown')) AS last_elsewhere,
        count(*) FILTER (WHERE a.kind = 'device') AS devices, max(a.at) FILTER (WHERE a.kind = 'device') AS last_device,
        (array_agg(a.at ORDER BY a.at DESC) FILTER (WHERE a.kind = 'network'))[(rules->>'most')::integer] AS too_many_since
        INTO counted FROM unnest(stored) AS a WHERE a.at > moment - interval '1 day';
      IF counted.again THEN
        RETURN jsonb_build_object('device', state, 'waitMs', 0);
      END IF;
      until := counted.last_here + attempt_delay(counted.here, (rules->>'free')::integer, (rules->>'delayMs')::bigint,
        CASE WHEN tried.kind = 'unknown' THEN (rules->>'accountDelayMaxMs')::bigint ELSE (rules->>'delayMaxMs')::bigint END);
      IF tried.kind IN ('network', 'unknown') THEN
        until := greatest(until, counted.last_elsewhere + attempt_delay(counted.elsewhere, (rules->>'accountFree')::integer,
          (rules->>'delayMs')::bigint, (rules->>'accountDelayMaxMs')::bigint));
      END IF;
      IF tried.kind = 'network' THEN
        until := greatest(until, counted.too_many_since + interval '1 day');
      END IF;
      IF tried.kind = 'device' THEN -- tokens are without number, so all devices together have a limit, too
        until := greatest(until, counted.last_device + attempt_delay(counted.devices, (rules->>'most')::integer,
          (rules->>'delayMs')::bigint, (rules->>'accountDelayMaxMs')::bigint));
      END IF;
      IF until > moment THEN
        RETURN jsonb_build_object('device', state, 'waitMs', ceil(extract(epoch FROM until - moment) * 1000), 'limit', 'account');
      END IF;
    END IF;
    over := use_over(limits);
    IF over IS NOT NULL THEN
      RETURN over || jsonb_build_object('device', state);
    END IF;
    IF account IS NULL THEN
      SELECT u.id INTO account FROM users u WHERE u.login_key = login_named;
    END IF;
    -- Whatever answer follows is committed after this and flushes it too; so nothing that anybody was told is lost with the server.
    PERFORM set_config('synchronous_commit', 'off', true);
    IF stored IS NULL THEN
      INSERT INTO login_attempts (limiter_key, user_id, attempts) VALUES (counted_by, account, ARRAY[tried]) ON CONFLICT DO NOTHING;
    ELSE
      UPDATE login_attempts l SET user_id = COALESCE(account, l.user_id), day = current_date, attempts = ARRAY(
          SELECT a FROM unnest(stored) AS a WHERE a.at > moment - interval '1 day' ORDER BY a.at DESC LIMIT 199) || tried
        WHERE l.limiter_key = counted_by AND l.attempts = stored;
    END IF;
    GET DIAGNOSTICS changed = ROW_COUNT;
    EXIT WHEN changed = 1;
  END LOOP;
  over := count_use(limits);
  IF (over->>'waitMs')::bigint > 0 THEN -- the last room was taken meanwhile: this attempt is not verified, so it does not count
    UPDATE login_attempts l SET attempts = ARRAY(SELECT a FROM unnest(l.attempts) AS a WHERE a.key <> tried.key) WHERE l.limiter_key = counted_by;
  END IF;
  RETURN over || jsonb_build_object('device', state);
END $$;

CREATE OR REPLACE FUNCTION is_login_free(hash bytea, taker bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $$
BEGIN
  RETURN NOT EXISTS (
    SELECT FROM quarantined_logins g
    WHERE g.login = hash AND g.until > now() AND (taker IS NULL OR g.user_id IS DISTINCT FROM taker));
END $$;

CREATE OR REPLACE FUNCTION publish_ended_sessions(owner bigint, ids uuid[], in_shard integer, said jsonb, audited bytea)
 RETURNS void
 LANGUAGE plpgsql
AS $$
DECLARE
  number bigint;
BEGIN
  UPDATE users SET sequence = sequence + 1 WHERE id = owner RETURNING sequence INTO number;
  INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, sequence, actor, traceparent, body)
  VALUES (in_shard, 'auth.event', owner::text, 'SessionsRevoked', (said->>'eventId')::uuid, owner, number, 'user:' || owner,
    said->>'traceparent', (said->'event') || jsonb_build_object('sessionIds', to_jsonb(ids)));
  INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, actor, traceparent, body)
  SELECT in_shard, 'auth.revocation', 's:' || id, 'json', gen_random_uuid(), owner, 'user:' || owner, said->>'traceparent', '{}'
  FROM unnest(ids) AS id;
  INSERT INTO audit_intake (encrypted) SELECT audited WHERE audited IS NOT NULL;
END $$;

CREATE OR REPLACE FUNCTION request_confirmations(ids bigint[], shards integer[], events uuid[], audited bytea[], said jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
AS $$
DECLARE
  done bigint;
BEGIN
  PERFORM FROM users WHERE id = ANY(ids) ORDER BY id DESC FOR NO KEY UPDATE;
  WITH given AS (SELECT * FROM unnest(ids, shards, events, audited) AS g (id, shard, event_id, encrypted)),
  counted AS (
    UPDATE users u SET sequence = u.sequence + 1, mail_due_at = NULL FROM given g WHERE u.id = g.id AND u.confirmed_at IS NULL
    RETURNING u.id, u.sequence),
  sent AS (
    INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, sequence, actor, traceparent, body)
    SELECT g.shard, 'auth.event', g.id::text, 'ConfirmationRequested', g.event_id, g.id, c.sequence, said->>'actor', said->>'traceparent',
      said->'body'
    FROM given g JOIN counted c USING (id) RETURNING 1),
  noted AS (INSERT INTO audit_intake (encrypted) SELECT g.encrypted FROM given g JOIN counted c USING (id) RETURNING 1)
  SELECT count(*) INTO done FROM counted;
  RETURN done;
END $$;

CREATE OR REPLACE FUNCTION is_session_current(session uuid, owner bigint, now_of integer)
 RETURNS boolean
 LANGUAGE plpgsql
AS $$
BEGIN
  IF now_of IS NOT NULL THEN
    PERFORM FROM users WHERE id = owner AND generation = now_of AND NOT is_banned(banned_at, banned_until) FOR SHARE;
    IF NOT FOUND THEN
      RETURN false;
    END IF;
  END IF;
  PERFORM FROM sessions WHERE id = session AND user_id = owner AND ended_at IS NULL FOR SHARE;
  RETURN FOUND;
END $$;

CREATE OR REPLACE FUNCTION maintain_outbox_partitions(days integer, keep interval)
 RETURNS integer
 LANGUAGE plpgsql
AS $$
DECLARE
  day date;
  part record;
  waiting boolean;
  dropped integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('maintain_outbox_partitions'));
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

CREATE OR REPLACE FUNCTION maintain_audit_partitions(ahead integer, keep interval)
 RETURNS integer
 LANGUAGE plpgsql
AS $$
DECLARE
  month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
  start timestamp;
  part record;
  last bigint;
  dropped integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('maintain_audit_partitions'));
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

-- Limits across accounts, by network, and by device tokens. One row for each kind of use and network (or for the whole fleet): a level that
-- each use raises by one and that time lowers evenly, as water runs out of a bucket. So a row has one size however much is counted, and its
-- lock makes the count exact however many workers count at once. Times are the database's: clocks of workers do not matter.
CREATE TABLE network_uses (
  subject bytea PRIMARY KEY, -- HMAC of what is used and of the network
  level double precision NOT NULL, -- uses that are not forgotten, as of `at`
  at timestamptz NOT NULL,
  day date NOT NULL DEFAULT current_date -- of the last use; what is older than a day is empty, since no limit takes longer to forget
) WITH (fillfactor = 70);
CREATE INDEX network_uses_day ON network_uses (day); -- changes once a day, so that other changes stay in place (HOT)

CREATE TYPE use_limit AS (
  name text, -- network, fleet: what a refusal says
  subject bytea,
  burst double precision, -- uses at once
  per_second double precision, -- how fast they are forgotten
  known boolean -- whether devices that the account knows are held by it, too
);

CREATE FUNCTION level_now(level double precision, at timestamptz, per_second double precision) RETURNS double precision VOLATILE LANGUAGE sql AS $$
  SELECT greatest(0, level - greatest(0, extract(epoch FROM clock_timestamp() - at)::double precision) * per_second)
$$;

-- Which of the limits allows no further use now, as {"waitMs", "limit"}: that of the longest wait. Reads only, and waits for nobody.
CREATE FUNCTION use_over(limits use_limit[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  worst record;
BEGIN
  IF COALESCE(cardinality(limits), 0) = 0 THEN
    RETURN NULL;
  END IF;
  SELECT l.name, (level_now(u.level, u.at, l.per_second) + 1 - l.burst) / l.per_second AS seconds INTO worst
    FROM unnest(limits) AS l JOIN network_uses u ON u.subject = l.subject ORDER BY seconds DESC LIMIT 1;
  IF worst.seconds > 0 THEN
    RETURN jsonb_build_object('waitMs', greatest(1, ceil(worst.seconds * 1000)), 'limit', worst.name);
  END IF;
  RETURN NULL;
END $$;

-- Takes uses back, in the order in which they were counted.
CREATE FUNCTION take_back_use(subjects bytea[]) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR n IN 1 .. COALESCE(cardinality(subjects), 0) LOOP
    UPDATE network_uses SET level = greatest(0, level - 1) WHERE subject = subjects[n];
  END LOOP;
  RETURN true;
END $$;

-- Counts a use under each of the limits, or says how long it has to wait; then nothing is counted. A row is locked before it is looked at, so
-- of uses at once exactly as many are counted as there is room for. Everybody locks in the same order: an account's attempts, then the uses
-- from the narrow network to the whole fleet.
CREATE FUNCTION count_use(limits use_limit[]) RETURNS jsonb LANGUAGE plpgsql AS $$
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
    INSERT INTO network_uses AS u (subject, level, at) VALUES (room.subject, 1, clock_timestamp())
      ON CONFLICT (subject) DO UPDATE SET level = level_now(u.level, u.at, room.per_second) + 1,
        at = greatest(u.at, clock_timestamp()), day = current_date
      WHERE level_now(u.level, u.at, room.per_second) + 1 <= room.burst;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 0 THEN
      PERFORM take_back_use(ARRAY(SELECT l.subject FROM unnest(limits) WITH ORDINALITY AS l WHERE l.ordinality < n ORDER BY l.ordinality));
      RETURN COALESCE(use_over(limits), jsonb_build_object('waitMs', 1, 'limit', room.name));
    END IF;
  END LOOP;
  RETURN jsonb_build_object('waitMs', 0);
END $$;

-- Of device tokens only those count as known that were given since the account's password was set anew by a link. The number stands in the
-- token and is compared where the account is read.
ALTER TABLE users ADD COLUMN device_epoch integer NOT NULL DEFAULT 0;

-- Counts an attempt before it is verified, as before (0006_attempts.sql), and now under the limits across accounts, too. A device is known also
-- by its token: `held_place` stands for the token's id, `held_epoch` is the number in it.
-- Returns {"waitMs": 0 where it is counted, "limit": account, network or fleet, "device": "new", "token", "stale" (known, but seen more than a
-- day ago) or "known"}.
DROP FUNCTION reserve_attempt(bytea, bigint, text, attempt, bytea, bytea, jsonb);
CREATE FUNCTION reserve_attempt(who bytea, account bigint, login_named text, tried attempt, known_as bytea, device bytea, rules jsonb,
  held_place bytea, held_epoch integer, limits use_limit[])
RETURNS jsonb LANGUAGE plpgsql AS $$
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
  IF held_epoch IS NOT NULL AND EXISTS (SELECT FROM users u WHERE u.login_key = login_named AND u.device_epoch = held_epoch) THEN
    state := 'token';
    tried.place := held_place;
    tried.kind := 'device';
  ELSE
    SELECT d.seen_at INTO seen FROM known_devices d WHERE d.subject = known_as AND d.device = reserve_attempt.device
      AND d.seen_at > now() - (rules->>'deviceTtlMs')::bigint * interval '1 millisecond';
    IF seen IS NOT NULL AND tried.kind <> 'session' THEN
      state := CASE WHEN seen > now() - interval '1 day' THEN 'known' ELSE 'stale' END;
      tried.place := device;
      tried.kind := 'device';
    END IF;
  END IF;
  IF state <> 'new' THEN
    limits := ARRAY(SELECT (l.name, l.subject, l.burst, l.per_second, l.known)::use_limit
      FROM unnest(limits) WITH ORDINALITY AS l WHERE l.known ORDER BY l.ordinality);
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
      INSERT INTO login_attempts (subject, user_id, attempts) VALUES (who, account, ARRAY[tried]) ON CONFLICT DO NOTHING;
    ELSE
      UPDATE login_attempts l SET user_id = COALESCE(account, l.user_id), day = current_date, attempts = ARRAY(
          SELECT a FROM unnest(stored) AS a WHERE a.at > moment - interval '1 day' ORDER BY a.at DESC LIMIT 199) || tried
        WHERE l.subject = who AND l.attempts = stored;
    END IF;
    GET DIAGNOSTICS changed = ROW_COUNT;
    EXIT WHEN changed = 1;
  END LOOP;
  over := count_use(limits);
  IF (over->>'waitMs')::bigint > 0 THEN -- the last room was taken meanwhile: this attempt is not verified, so it does not count
    UPDATE login_attempts l SET attempts = ARRAY(SELECT a FROM unnest(l.attempts) AS a WHERE a.key <> tried.key) WHERE l.subject = who;
  END IF;
  RETURN over || jsonb_build_object('device', state);
END $$;

-- The secret was right: what was counted of its place is forgotten, and its own use of each limit.
CREATE FUNCTION refund_attempt(who bytea, at_place bytea, uses bytea[]) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE login_attempts l SET attempts = ARRAY(SELECT a FROM unnest(l.attempts) AS a WHERE a.place <> at_place) WHERE l.subject = who;
  RETURN FOUND AND take_back_use(uses);
END $$;

-- Nothing counts against the account any more. A function, so that a commit does it where it stands among its writes: attempts are locked before uses.
CREATE FUNCTION forget_attempts(account bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE login_attempts SET attempts = '{}' WHERE user_id = account AND cardinality(attempts) > 0;
  RETURN true;
END $$;

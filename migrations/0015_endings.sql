-- Endings are final. What a commit ends it looks for while it holds the user's row, in volatile functions: each statement of such a function
-- sees what was committed while the commit waited for that row, which the commit's own statement does not. A session, a link or a factor
-- that was being committed beside an ending is therefore ended with the others. No function touches rows that the calling statement
-- changes itself.

-- The generation of its user when a link was made, where any change of rights, password or factors ends it; the session in which it was
-- asked for, where it goes with that session; when it was taken back without being used.
ALTER TABLE one_time_tokens ADD COLUMN generation integer, ADD COLUMN session_id uuid, ADD COLUMN voided_at timestamptz;

CREATE FUNCTION end_sessions(owner bigint, spared uuid, why text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE sessions SET ended_at = now(), end_reason = why
  WHERE user_id = owner AND ended_at IS NULL AND id IS DISTINCT FROM spared;
  RETURN true;
END $$;

-- Says of sessions that they are over: the event, a record in auth.revocation each, and the event's row for the audit, sealed.
-- said: eventId, traceparent, event (the body of SessionsRevoked without its ids).
CREATE FUNCTION publish_ended_sessions(owner bigint, ids uuid[], in_shard integer, said jsonb, audited bytea)
RETURNS void LANGUAGE plpgsql AS $$
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
  INSERT INTO audit_intake (box) SELECT audited WHERE audited IS NOT NULL;
END $$;

CREATE OR REPLACE FUNCTION end_oldest_sessions(
  owner bigint, opened uuid, most integer, idle interval, in_shard integer, said jsonb, audited bytea
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  ids uuid[];
BEGIN
  ids := ARRAY(
    SELECT id FROM sessions
    WHERE user_id = owner AND ended_at IS NULL AND expires_at > now() AND last_used_at > now() - idle AND id <> opened
    ORDER BY created_at DESC, id DESC OFFSET most - 1);
  IF cardinality(ids) > 0 THEN
    UPDATE sessions SET ended_at = now(), end_reason = 'limit' WHERE id = ANY(ids);
    PERFORM publish_ended_sessions(owner, ids, in_shard, said, audited);
  END IF;
  RETURN cardinality(ids);
END $$;

-- All sessions but one. The commit speaks of the sessions it has read; here others are said that were opened since. What can only be
-- live ends, also where it is past its time.
CREATE FUNCTION end_other_sessions(
  owner bigint, spared uuid, read_before uuid[], why text, in_shard integer, said jsonb, audited bytea
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  ids uuid[];
BEGIN
  WITH ended AS (
    UPDATE sessions SET ended_at = now(), end_reason = why
    WHERE user_id = owner AND ended_at IS NULL AND id <> spared RETURNING id, expires_at)
  SELECT COALESCE(array_agg(id), '{}') INTO ids FROM ended WHERE expires_at > now() AND id <> ALL(read_before);
  IF cardinality(ids) > 0 THEN
    PERFORM publish_ended_sessions(owner, ids, in_shard, said, audited);
  END IF;
  RETURN true;
END $$;

-- All sessions of a user who goes; nothing that is known of their devices stays.
CREATE FUNCTION erase_sessions(owner bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE sessions SET ended_at = COALESCE(ended_at, now()), end_reason = COALESCE(end_reason, 'deleted'), client = NULL
  WHERE user_id = owner;
  RETURN true;
END $$;

CREATE FUNCTION erase_attempts(owner bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM login_attempts WHERE user_id = owner;
  RETURN true;
END $$;

-- Links that count no more, but for one. kinds: their purposes; asked_in: only those that were asked for in this session, or NULL.
CREATE FUNCTION void_links(owner bigint, spared uuid, kinds text[], asked_in uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE one_time_tokens SET voided_at = now()
  WHERE user_id = owner AND purpose = ANY(kinds) AND used_at IS NULL AND voided_at IS NULL AND expires_at > now()
    AND id IS DISTINCT FROM spared AND (asked_in IS NULL OR session_id = asked_in);
  RETURN true;
END $$;

-- Logins under way: whoever has shown a password begins anew. A challenge for a passkey alone stays, because nothing was shown for it yet: its
-- answer is judged by what the user has and may do when it comes.
CREATE FUNCTION void_login_challenges(owner bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE challenges SET expires_at = now()
  WHERE user_id = owner AND purpose = 'login-mfa' AND used_at IS NULL AND expires_at > now();
  RETURN true;
END $$;

CREATE FUNCTION delete_recovery_codes(owner bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM recovery_codes WHERE user_id = owner;
  RETURN true;
END $$;

CREATE FUNCTION replace_recovery_codes(owner bigint, hashes bytea[]) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM recovery_codes WHERE user_id = owner;
  INSERT INTO recovery_codes (user_id, hash) SELECT owner, hash FROM unnest(hashes) AS hash;
  RETURN true;
END $$;

-- Everything that a user has as a second factor, and what was being set up.
CREATE FUNCTION delete_factors(owner bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM recovery_codes WHERE user_id = owner;
  DELETE FROM totp_factors WHERE user_id = owner;
  DELETE FROM passkeys WHERE user_id = owner;
  UPDATE challenges SET expires_at = now()
  WHERE user_id = owner AND purpose = 'passkey-registration' AND used_at IS NULL AND expires_at > now();
  RETURN true;
END $$;

-- Whether there is nothing that delete_factors would delete, and no passkey is being registered.
CREATE FUNCTION has_no_factors(owner bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN NOT EXISTS (SELECT FROM totp_factors WHERE user_id = owner)
    AND NOT EXISTS (SELECT FROM passkeys WHERE user_id = owner)
    AND NOT EXISTS (SELECT FROM recovery_codes WHERE user_id = owner)
    AND NOT EXISTS (
      SELECT FROM challenges WHERE user_id = owner AND purpose = 'passkey-registration' AND used_at IS NULL AND expires_at > now());
END $$;

CREATE FUNCTION forget_devices(owner bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM known_devices WHERE user_id = owner;
  RETURN true;
END $$;

-- Whether the session that gives a command goes on, and its user has the rights that it was read with: asked at the end of the wait, and
-- held until the commit, so that nothing is done in a session that was ended before. The user's row first, as every commit does.
-- now_of: the user's generation if nobody else has changed it; NULL where this very commit deletes the user.
CREATE FUNCTION session_stands(session uuid, owner bigint, now_of integer) RETURNS boolean LANGUAGE plpgsql AS $$
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

-- Whether none of these users is banned: for a commit that holds their rows by now.
CREATE FUNCTION none_banned(ids bigint[]) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN NOT EXISTS (SELECT FROM users WHERE id = ANY(ids) AND is_banned(banned_at, banned_until));
END $$;

-- `at` of a revocation is this database's time, whoever writes it: verifiers keep it as long as the longest token lives, and a process
-- whose clock is slow must not have it forgotten too early.
CREATE FUNCTION stamp_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.body := NEW.body || jsonb_build_object('at', floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
  RETURN NEW;
END $$;
CREATE TRIGGER stamp_revocation BEFORE INSERT ON outbox
  FOR EACH ROW WHEN (NEW.topic = 'auth.revocation') EXECUTE FUNCTION stamp_revocation();

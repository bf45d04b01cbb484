-- Accounts as their owners and administrators see them: how many sessions a user may have and for how long their rows are kept, what
-- roles permit, and finding users by the beginning of a login or an e-mail address.

-- What sweeps ended sessions looks by these. None for idle ones: last_used_at would be in an index, and each refresh be no HOT update.
CREATE INDEX sessions_by_end ON sessions (expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Ends what a user has beyond `most` sessions, the oldest first, never the one just opened; says so in auth.event and auth.revocation.
-- For the end of a commit that holds the user's row: a volatile function sees what was committed while its statement waited for that
-- row, which the statement itself does not. So twenty logins at once end exactly as many sessions as there are too many.
-- said: eventId, traceparent, event (the body of SessionsRevoked without its ids), revocation (the body of each record); audited: the
-- event's row for the audit, sealed, so without the ids.
CREATE FUNCTION end_oldest_sessions(owner bigint, opened uuid, most integer, idle interval, in_shard integer, said jsonb, audited bytea)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  ids uuid[];
  number bigint;
BEGIN
  ids := ARRAY(
    SELECT id FROM sessions
    WHERE user_id = owner AND ended_at IS NULL AND expires_at > now() AND last_used_at > now() - idle AND id <> opened
    ORDER BY created_at DESC, id DESC OFFSET most - 1);
  IF cardinality(ids) = 0 THEN
    RETURN 0;
  END IF;
  UPDATE sessions SET ended_at = now(), end_reason = 'limit' WHERE id = ANY(ids);
  UPDATE users SET sequence = sequence + 1 WHERE id = owner RETURNING sequence INTO number;
  INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, sequence, actor, traceparent, body)
  VALUES (in_shard, 'auth.event', owner::text, 'SessionsRevoked', (said->>'eventId')::uuid, owner, number, 'user:' || owner,
    said->>'traceparent', (said->'event') || jsonb_build_object('sessionIds', to_jsonb(ids)));
  INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, actor, traceparent, body)
  SELECT in_shard, 'auth.revocation', 's:' || id, 'json', gen_random_uuid(), owner, 'user:' || owner, said->>'traceparent',
    said->'revocation'
  FROM unnest(ids) AS id;
  INSERT INTO audit_intake (box) SELECT audited WHERE audited IS NOT NULL;
  RETURN cardinality(ids);
END $$;

ALTER TABLE roles ADD COLUMN version integer NOT NULL DEFAULT 0; -- of its permissions: who changes them must have read the latest

CREATE TABLE role_permissions (
  role_id smallint NOT NULL REFERENCES roles ON DELETE CASCADE,
  permission text NOT NULL,
  PRIMARY KEY (role_id, permission)
);
INSERT INTO role_permissions (role_id, permission)
SELECT id, permission
FROM roles, unnest(ARRAY['users.read', 'users.ban', 'users.delete', 'users.unlock', 'users.reset-mfa', 'users.set-roles', 'sessions.revoke',
  'roles.read', 'roles.change']) AS permission
WHERE name = 'admin';

CREATE INDEX users_of_role ON user_roles (role_id);

-- Whether somebody else is an administrator who can log in. Whoever asks holds the role's row until his commit, so that two
-- administrators who go at the same time cannot each count on the other.
CREATE FUNCTION is_admin_beside(leaving bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM roles WHERE name = 'admin' FOR NO KEY UPDATE;
  RETURN EXISTS (
    SELECT FROM roles r JOIN user_roles ur ON ur.role_id = r.id JOIN users u ON u.id = ur.user_id
    WHERE r.name = 'admin' AND u.id <> leaving AND u.confirmed_at IS NOT NULL AND NOT is_banned(u.banned_at, u.banned_until));
END $$;

ALTER TABLE users ADD COLUMN ban_reason text;

-- By the bytes, so that the beginning of a text is a range, also where its value is not known when the statement is planned.
CREATE INDEX users_by_login ON users (login_key COLLATE "C");
CREATE INDEX users_by_email ON users (email_key COLLATE "C");
CREATE INDEX users_unconfirmed ON users (login_key COLLATE "C") WHERE confirmed_at IS NULL;
CREATE INDEX users_banned ON users (login_key COLLATE "C") WHERE banned_at IS NOT NULL;

-- Confirming: what proves that whoever opens the link is whoever registered; and how many mails an address gets within an hour.

ALTER TABLE users ADD COLUMN registration_hash bytea; -- SHA-256 of the registration secret, until the account is confirmed
ALTER TABLE users ADD COLUMN mail_due_at timestamptz; -- until then the mail with the account's link is held back (AUTH_MAILS_PER_HOUR)
CREATE INDEX users_mail_due ON users (mail_due_at) WHERE mail_due_at IS NOT NULL;

-- One row for each kind of mail and address, since only a row's lock counts exactly. The address is a keyed hash: it may be anybody's.
CREATE TABLE address_mails (
  subject bytea PRIMARY KEY,
  sent timestamptz[] NOT NULL, -- within the last hour
  hour timestamptz NOT NULL DEFAULT date_trunc('hour', now()) -- of the last one; changes once an hour, so that most updates are HOT
) WITH (fillfactor = 70);
CREATE INDEX address_mails_hour ON address_mails (hour);

-- How many ms until the next mail may go: 0 where fewer than `most` were sent within the last hour.
CREATE FUNCTION mail_wait_ms(sent timestamptz[], most integer) RETURNS bigint STABLE LANGUAGE sql AS $$
  SELECT COALESCE((
    SELECT ceil(extract(epoch FROM s + interval '1 hour' - now()) * 1000)::bigint
    FROM unnest(sent) AS s WHERE s > now() - interval '1 hour' ORDER BY s DESC OFFSET most - 1 LIMIT 1), 0)
$$;

-- Of a mail that lists several accounts each has an event of its own; the newest account's is its commit's own, this writes those of the others.
-- Their rows are locked from the newest to the oldest, as by every other such commit, after that of the newest. @returns how many still wait
CREATE FUNCTION request_confirmations(ids bigint[], shards integer[], events uuid[], audited bytea[], said jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  done bigint;
BEGIN
  PERFORM FROM users WHERE id = ANY(ids) ORDER BY id DESC FOR NO KEY UPDATE;
  WITH given AS (SELECT * FROM unnest(ids, shards, events, audited) AS g (id, shard, event_id, box)),
  counted AS (
    UPDATE users u SET sequence = u.sequence + 1, mail_due_at = NULL FROM given g WHERE u.id = g.id AND u.confirmed_at IS NULL
    RETURNING u.id, u.sequence),
  sent AS (
    INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, sequence, actor, traceparent, body)
    SELECT g.shard, 'auth.event', g.id::text, 'ConfirmationRequested', g.event_id, g.id, c.sequence, said->>'actor', said->>'traceparent',
      said->'body'
    FROM given g JOIN counted c USING (id) RETURNING 1),
  noted AS (INSERT INTO audit_intake (box) SELECT g.box FROM given g JOIN counted c USING (id) RETURNING 1)
  SELECT count(*) INTO done FROM counted;
  RETURN done;
END $$;

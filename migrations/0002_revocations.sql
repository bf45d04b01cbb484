-- A ban may have an end, which needs no job: whoever asks compares. Null: until it is lifted.
ALTER TABLE users ADD COLUMN banned_until timestamptz;

CREATE FUNCTION is_banned(banned_at timestamptz, banned_until timestamptz) RETURNS boolean STABLE LANGUAGE sql AS $$
  SELECT banned_at IS NOT NULL AND (banned_until IS NULL OR banned_until > now())
$$;

-- The relay asks once a second whether any revocation waits, also behind a million events that wait (src/db/revocations.ts).
CREATE INDEX outbox_revocations ON outbox (id) WHERE published_at IS NULL AND topic = 'auth.revocation';

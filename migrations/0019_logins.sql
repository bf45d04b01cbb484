-- Logins that were once confirmed and are given up, by deleting the account or by taking another login: taken for others for a while, so that nobody
-- who knew the account is fooled by a stranger under its name. As a keyed hash, which says nothing of who it was.
CREATE TABLE given_up_logins (
  login bytea PRIMARY KEY, -- HMAC under the data key of purpose `lookup`
  user_id bigint, -- who gave it up and may take it back; null once the user is gone
  until timestamptz NOT NULL
);
CREATE INDEX given_up_logins_until ON given_up_logins (until);
CREATE INDEX given_up_logins_of_user ON given_up_logins (user_id) WHERE user_id IS NOT NULL;

-- Whether the login may be taken, by this user, or by somebody new (null). Volatile, so that a commit which waited for another one sees what that one gave up.
CREATE FUNCTION is_login_free(hash bytea, taker bigint) RETURNS boolean VOLATILE LANGUAGE plpgsql AS $$
BEGIN
  RETURN NOT EXISTS (
    SELECT FROM given_up_logins g
    WHERE g.login = hash AND g.until > now() AND (taker IS NULL OR g.user_id IS DISTINCT FROM taker));
END $$;

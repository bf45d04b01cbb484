-- Second factors: authenticator apps (TOTP), recovery codes, passkeys; the challenges that ask for them; roles that count only with one.

-- A session that was opened with one factor does not bear the role (src/db/sessions.ts): it is as if its user had not got it.
ALTER TABLE roles ADD COLUMN requires_mfa boolean NOT NULL DEFAULT false;

CREATE TABLE totp_factors (
  user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  secret bytea NOT NULL, -- 20 bytes, encrypted under a data key
  created_at timestamptz NOT NULL DEFAULT now(),
  activated_at timestamptz, -- null: enrolled, and no code was shown yet
  last_step bigint NOT NULL DEFAULT 0, -- the newest 30 s step a code was accepted of: it and older ones are refused
  failures integer NOT NULL DEFAULT 0, -- wrong codes in a row
  failed_at timestamptz
);

-- Four wrong codes in a row are free; from the fifth on each must be waited for: 30 s, then twice as long each time, up to a day.
CREATE FUNCTION totp_wait(failures integer, failed_at timestamptz) RETURNS interval STABLE LANGUAGE sql AS $$
  SELECT CASE WHEN failures < 5 OR failed_at IS NULL THEN interval '0'
    ELSE greatest(failed_at + least(interval '30 seconds' * power(2, least(failures - 5, 12)), interval '1 day') - now(), interval '0') END
$$;

CREATE TABLE recovery_codes (
  user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
  hash bytea NOT NULL, -- SHA-256 of 125 random bits
  used_at timestamptz,
  PRIMARY KEY (user_id, hash)
);

CREATE TABLE passkeys (
  id uuid PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
  credential_id text NOT NULL CONSTRAINT passkeys_credential_unique UNIQUE, -- base64url
  public_key bytea NOT NULL, -- COSE
  sign_count bigint NOT NULL,
  transports text[] NOT NULL,
  synced boolean NOT NULL, -- may be on several devices of its owner
  label text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz
);
CREATE INDEX passkeys_of_user ON passkeys (user_id);

-- One-time tokens of logins and registrations under way; each is bound to its purpose and to what was asked.
CREATE TABLE challenges (
  id uuid PRIMARY KEY,
  purpose text NOT NULL CHECK (purpose IN ('login-mfa', 'passkey-login', 'passkey-registration')),
  user_id bigint REFERENCES users ON DELETE CASCADE, -- null: the login has no passkey, or is not known, or was not given
  discoverable boolean NOT NULL DEFAULT false, -- no login was given: the passkey says whose it is
  generation integer, -- of the user when his password was right: after a change of rights the challenge is worth nothing
  session_id uuid, -- that a passkey is registered in
  secret_hash bytea NOT NULL,
  rotating boolean NOT NULL,
  client jsonb,
  amr text[] NOT NULL, -- what was shown already
  attempts smallint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX challenges_expired ON challenges (expires_at);
CREATE INDEX challenges_of_user ON challenges (user_id);

-- Each key of the fleet has a version and a certificate by the root key, whose thumbprint requesters are given.
ALTER TABLE fleet_keys
  ADD COLUMN version bigint NOT NULL DEFAULT 1,
  ADD COLUMN cert text,
  ADD COLUMN certified_at timestamptz;

-- next: its thumbprint is being given to requesters; active: it certifies.
CREATE TABLE root_keys (
  kid text PRIMARY KEY,
  state text NOT NULL UNIQUE CHECK (state IN ('next', 'active')),
  public_jwk jsonb NOT NULL,
  private_box bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Kept for ever: a late record on auth.key must not bring a key back.
CREATE TABLE gone_keys (
  kid text PRIMARY KEY,
  version bigint NOT NULL,
  gone_at timestamptz NOT NULL DEFAULT now()
);

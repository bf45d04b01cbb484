-- The longest life that access tokens ever had. Revocations are kept for that long, in the topic and by verifiers:
-- where AUTH_ACCESS_TTL is lowered, tokens from before live on.
CREATE TABLE token_life (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  longest_ms bigint NOT NULL
);

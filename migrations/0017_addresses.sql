-- Whom an e-mail address belongs to: the one confirmed account that has it. An account that waits for its confirmation holds its login and no
-- address, so any number of them may share one, and nobody can take an address that is not theirs by registering first.

-- Accounts that only keep a login taken (src/handlers/account/register.ts) say so by themselves. They were told by the form of their address,
-- taken:<id>, which a real one can have after normalising (`taken：x@…`); only what has exactly its own id there was made as one.
ALTER TABLE users ADD COLUMN decoy boolean NOT NULL DEFAULT false;
ALTER TABLE users DROP CONSTRAINT users_email_unique;
UPDATE users SET decoy = true, email = '', email_key = '' WHERE confirmed_at IS NULL AND email_key = 'taken:' || id;
DROP INDEX users_decoys;
CREATE INDEX users_decoys ON users (created_at) WHERE decoy;

CREATE UNIQUE INDEX users_email_unique ON users (email_key) WHERE confirmed_at IS NOT NULL;
CREATE INDEX users_waiting ON users (email_key) WHERE confirmed_at IS NULL;

-- Of two users with one address a page of a search may have room for the first only.
DROP INDEX users_by_email;
CREATE INDEX users_by_email ON users (email_key COLLATE "C", id);

-- Ids of users are positive; those of what stands in for them are not, so that no row about nobody can be taken for one about a user.
ALTER TABLE stand_in_tokens DROP CONSTRAINT stand_in_tokens_stand_in_fkey;
UPDATE stand_in_tokens SET stand_in = -1 - stand_in;
UPDATE stand_ins SET id = -1 - id;
ALTER TABLE stand_in_tokens ADD CONSTRAINT stand_in_tokens_stand_in_fkey FOREIGN KEY (stand_in) REFERENCES stand_ins;

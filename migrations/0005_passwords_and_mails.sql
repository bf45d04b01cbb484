-- Resetting a password, changing an e-mail address, sending mails once, and accounts that nobody ever confirmed.

-- What a token is for is the code's to say (src/db/one-time-tokens.ts): each kind of link would need this constraint made anew.
ALTER TABLE one_time_tokens DROP CONSTRAINT one_time_tokens_purpose_check;
ALTER TABLE one_time_tokens ADD COLUMN email text, ADD COLUMN email_key text; -- the new address that the token confirms
CREATE INDEX one_time_tokens_expired ON one_time_tokens (expires_at);

CREATE INDEX users_overdue ON users (created_at) WHERE confirmed_at IS NULL;

-- One row per mail: claimed before it is handed to the SMTP server, marked when that has taken it (src/db/mails.ts).
CREATE TABLE mail_sent (
  mail_id uuid PRIMARY KEY,
  claimed_at timestamptz NOT NULL DEFAULT now(),
  sent_at timestamptz
);
CREATE INDEX mail_sent_claimed ON mail_sent (claimed_at);

-- The language a user is written to in: the BCP 47 tag he registered with, 35 characters at most (accounts/input.ts). Null: he gave none, and the
-- fleet's is his (AUTH_MAIL_LOCALE). No constraint: adding one would read the whole table under a lock.
ALTER TABLE users ADD COLUMN locale text;

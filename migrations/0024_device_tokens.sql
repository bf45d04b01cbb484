-- A device token is for the record key of the login that let its user in. Whoever logged in by the e-mail address goes on doing so: tokens that
-- come later, from a second factor or a refresh, are for the address, too.
ALTER TABLE sessions ADD COLUMN by_address boolean NOT NULL DEFAULT false;
ALTER TABLE challenges ADD COLUMN by_address boolean NOT NULL DEFAULT false;

-- Operators: who acts on the fleet with a key of their own. What a row says is sealed under a data key (crypto/operators.ts), so that whoever can
-- only write to the database can make no operator. The version is raised by each change; who changes a row demands the one they read.
CREATE TABLE operators (
  name text PRIMARY KEY,
  version integer NOT NULL DEFAULT 0,
  box bytea NOT NULL
);

-- Whether there is none, asked when nobody else can be making the first: volatile, so it sees what was committed while it waited for the lock.
CREATE FUNCTION is_without_operators() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('auth first operator'));
  RETURN NOT EXISTS (SELECT FROM operators);
END $$;

-- A service may have had a permission of this name.
INSERT INTO role_permissions (role_id, permission) SELECT id, 'operators.manage' FROM roles WHERE name = 'admin' ON CONFLICT DO NOTHING;

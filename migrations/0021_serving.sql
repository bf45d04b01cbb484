-- Which group serves a command. A starting worker adds its rows where no row in force names another group, renews them and deletes them when it
-- stops; the rows of a worker that was killed lapse. Times are the database's.
CREATE TABLE serving (
  command text NOT NULL,
  "group" text NOT NULL,
  process text NOT NULL,
  until timestamptz NOT NULL,
  PRIMARY KEY (command, process)
);

-- Gives the rows in force that name another group, or else adds those of the process and gives none. Volatile: each of its statements sees what was
-- committed while the locks were waited for, so of two groups that start in the same moment one has all its commands and the other is told.
CREATE FUNCTION claim_commands(wanted text[], for_group text, for_process text, lasting interval)
RETURNS TABLE (command text, "group" text, process text, until timestamptz) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  each text;
BEGIN
  FOR each IN SELECT name FROM unnest(wanted) AS name ORDER BY name LOOP -- in one order, or two would wait for each other
    PERFORM pg_advisory_xact_lock(hashtext('auth serving'), hashtext(each));
  END LOOP;
  RETURN QUERY SELECT s.command, s."group", s.process, s.until FROM serving s
    WHERE s.command = ANY(wanted) AND s."group" <> for_group AND s.until > clock_timestamp() ORDER BY s.command, s.process;
  IF FOUND THEN
    RETURN;
  END IF;
  DELETE FROM serving s WHERE s.command = ANY(wanted) AND s.until < clock_timestamp() - interval '1 day'; -- nobody renews them any more
  INSERT INTO serving (command, "group", process, until) SELECT name, for_group, for_process, clock_timestamp() + lasting FROM unnest(wanted) AS name
    ON CONFLICT (command, process) DO UPDATE SET "group" = excluded."group", until = excluded.until;
END $$;

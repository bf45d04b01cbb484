-- Looks each limit's row up by itself. As one join it was planned for the size that the table happened to have: of a table of 20 rows all were read,
-- and a prepared statement keeps its plan while the table grows.
CREATE OR REPLACE FUNCTION use_over(limits use_limit[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  worst record;
BEGIN
  IF COALESCE(cardinality(limits), 0) = 0 THEN
    RETURN NULL;
  END IF;
  SELECT l.name, (level_now(u.level, u.at, l.per_second) + 1 - l.burst) / l.per_second AS seconds INTO worst
    FROM unnest(limits) AS l, LATERAL (SELECT n.level, n.at FROM network_uses n WHERE n.subject = l.subject LIMIT 1) AS u
    ORDER BY seconds DESC LIMIT 1;
  IF worst.seconds > 0 THEN
    RETURN jsonb_build_object('waitMs', greatest(1, ceil(worst.seconds * 1000)), 'limit', worst.name);
  END IF;
  RETURN NULL;
END $$;

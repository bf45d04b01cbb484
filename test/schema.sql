-- The database after all migrations. Written by UPDATE_SCHEMA=1 npm test -- migrate; checked by test/processes/migrate.test.ts.

-- columns
address_mails.limiter_key bytea NOT NULL
address_mails.sent timestamp with time zone[] NOT NULL
address_mails.hour timestamp with time zone NOT NULL DEFAULT date_trunc('hour'::text, now())
audit.number bigint NOT NULL
audit.chained_at timestamp with time zone NOT NULL
audit.event_id uuid NOT NULL
audit.at timestamp with time zone NOT NULL
audit.event text NOT NULL
audit.actor text NOT NULL
audit.user_id bigint
audit.outcome text NOT NULL
audit.traceparent text
audit.details json NOT NULL
audit.personal bytea
audit.chain bytea NOT NULL
audit_heads.number bigint NOT NULL
audit_heads.partition text NOT NULL
audit_heads.signed_at timestamp with time zone NOT NULL
audit_heads.jws text NOT NULL
audit_intake.id bigint NOT NULL DEFAULT nextval('audit_ids'::regclass)
audit_intake.encrypted bytea NOT NULL
audit_keys.kid text NOT NULL
audit_keys.encrypted bytea NOT NULL
audit_state.only_one boolean NOT NULL DEFAULT true
audit_state.encrypted bytea NOT NULL
challenges.id uuid NOT NULL
challenges.purpose text NOT NULL
challenges.user_id bigint
challenges.discoverable boolean NOT NULL DEFAULT false
challenges.generation integer
challenges.session_id uuid
challenges.secret_hash bytea NOT NULL
challenges.rotating boolean NOT NULL
challenges.client jsonb
challenges.amr text[] NOT NULL
challenges.attempts smallint NOT NULL DEFAULT 0
challenges.created_at timestamp with time zone NOT NULL DEFAULT now()
challenges.expires_at timestamp with time zone NOT NULL
challenges.used_at timestamp with time zone
challenges.by_address boolean NOT NULL DEFAULT false
credentials.user_id bigint NOT NULL
credentials.kind text NOT NULL
credentials.hash text NOT NULL
credentials.changed_at timestamp with time zone NOT NULL DEFAULT now()
data_keys.id integer NOT NULL
data_keys.purpose text NOT NULL
data_keys.wrapped text NOT NULL
data_keys.created_at timestamp with time zone NOT NULL DEFAULT now()
dummy_user_tokens.id uuid NOT NULL
dummy_user_tokens.dummy_user_id smallint NOT NULL
dummy_user_tokens.purpose text NOT NULL
dummy_user_tokens.secret_hash bytea NOT NULL
dummy_user_tokens.created_at timestamp with time zone NOT NULL DEFAULT now()
dummy_user_tokens.expires_at timestamp with time zone NOT NULL
dummy_users.id smallint NOT NULL
dummy_users.sequence bigint NOT NULL DEFAULT 0
fleet_keys.kid text NOT NULL
fleet_keys.use text NOT NULL
fleet_keys.alg text NOT NULL
fleet_keys.state text NOT NULL
fleet_keys.public_jwk jsonb NOT NULL
fleet_keys.encrypted_private_key bytea NOT NULL
fleet_keys.created_at timestamp with time zone NOT NULL DEFAULT now()
fleet_keys.active_at timestamp with time zone
fleet_keys.retired_at timestamp with time zone
fleet_keys.version bigint NOT NULL DEFAULT 1
fleet_keys.cert text
fleet_keys.certified_at timestamp with time zone
gone_keys.kid text NOT NULL
gone_keys.version bigint NOT NULL
gone_keys.gone_at timestamp with time zone NOT NULL DEFAULT now()
import_rejects.source text NOT NULL
import_rejects.position bigint NOT NULL
import_rejects.reason text NOT NULL
imports.source text NOT NULL
imports.fingerprint text NOT NULL
imports.position bigint NOT NULL
imports.next_byte bigint NOT NULL DEFAULT 0
imports.counts jsonb NOT NULL
imports.rejects_bytes bigint NOT NULL DEFAULT 0
imports.actor text NOT NULL
imports.started_at timestamp with time zone NOT NULL DEFAULT now()
imports.updated_at timestamp with time zone NOT NULL DEFAULT now()
imports.ended_at timestamp with time zone
inbox.topic text NOT NULL
inbox.reply_topic text NOT NULL
inbox.idempotency_key bytea NOT NULL
inbox.fingerprint bytea NOT NULL
inbox.reply bytea NOT NULL
inbox.created_at timestamp with time zone NOT NULL DEFAULT now()
inbox.expires_at timestamp with time zone NOT NULL
inbox_0.topic text NOT NULL
inbox_0.reply_topic text NOT NULL
inbox_0.idempotency_key bytea NOT NULL
inbox_0.fingerprint bytea NOT NULL
inbox_0.reply bytea NOT NULL
inbox_0.created_at timestamp with time zone NOT NULL DEFAULT now()
inbox_0.expires_at timestamp with time zone NOT NULL
inbox_1.topic text NOT NULL
inbox_1.reply_topic text NOT NULL
inbox_1.idempotency_key bytea NOT NULL
inbox_1.fingerprint bytea NOT NULL
inbox_1.reply bytea NOT NULL
inbox_1.created_at timestamp with time zone NOT NULL DEFAULT now()
inbox_1.expires_at timestamp with time zone NOT NULL
inbox_2.topic text NOT NULL
inbox_2.reply_topic text NOT NULL
inbox_2.idempotency_key bytea NOT NULL
inbox_2.fingerprint bytea NOT NULL
inbox_2.reply bytea NOT NULL
inbox_2.created_at timestamp with time zone NOT NULL DEFAULT now()
inbox_2.expires_at timestamp with time zone NOT NULL
inbox_3.topic text NOT NULL
inbox_3.reply_topic text NOT NULL
inbox_3.idempotency_key bytea NOT NULL
inbox_3.fingerprint bytea NOT NULL
inbox_3.reply bytea NOT NULL
inbox_3.created_at timestamp with time zone NOT NULL DEFAULT now()
inbox_3.expires_at timestamp with time zone NOT NULL
inbox_4.topic text NOT NULL
inbox_4.reply_topic text NOT NULL
inbox_4.idempotency_key bytea NOT NULL
inbox_4.fingerprint bytea NOT NULL
inbox_4.reply bytea NOT NULL
inbox_4.created_at timestamp with time zone NOT NULL DEFAULT now()
inbox_4.expires_at timestamp with time zone NOT NULL
inbox_5.topic text NOT NULL
inbox_5.reply_topic text NOT NULL
inbox_5.idempotency_key bytea NOT NULL
inbox_5.fingerprint bytea NOT NULL
inbox_5.reply bytea NOT NULL
inbox_5.created_at timestamp with time zone NOT NULL DEFAULT now()
inbox_5.expires_at timestamp with time zone NOT NULL
inbox_6.topic text NOT NULL
inbox_6.reply_topic text NOT NULL
inbox_6.idempotency_key bytea NOT NULL
inbox_6.fingerprint bytea NOT NULL
inbox_6.reply bytea NOT NULL
inbox_6.created_at timestamp with time zone NOT NULL DEFAULT now()
inbox_6.expires_at timestamp with time zone NOT NULL
inbox_7.topic text NOT NULL
inbox_7.reply_topic text NOT NULL
inbox_7.idempotency_key bytea NOT NULL
inbox_7.fingerprint bytea NOT NULL
inbox_7.reply bytea NOT NULL
inbox_7.created_at timestamp with time zone NOT NULL DEFAULT now()
inbox_7.expires_at timestamp with time zone NOT NULL
known_devices.account_key bytea NOT NULL
known_devices.device bytea NOT NULL
known_devices.user_id bigint NOT NULL
known_devices.seen_at timestamp with time zone NOT NULL DEFAULT now()
login_attempts.limiter_key bytea NOT NULL
login_attempts.user_id bigint
login_attempts.day date NOT NULL DEFAULT CURRENT_DATE
login_attempts.attempts attempt[] NOT NULL
mail_sent.mail_id uuid NOT NULL
mail_sent.claimed_at timestamp with time zone NOT NULL DEFAULT now()
mail_sent.sent_at timestamp with time zone
migrations.version integer NOT NULL
migrations.name text NOT NULL
migrations.hash text NOT NULL
migrations.applied_at timestamp with time zone NOT NULL DEFAULT now()
network_uses.limiter_key bytea NOT NULL
network_uses.level double precision NOT NULL
network_uses.at timestamp with time zone NOT NULL
network_uses.day date NOT NULL DEFAULT CURRENT_DATE
one_time_tokens.id uuid NOT NULL
one_time_tokens.user_id bigint NOT NULL
one_time_tokens.purpose text NOT NULL
one_time_tokens.secret_hash bytea NOT NULL
one_time_tokens.created_at timestamp with time zone NOT NULL DEFAULT now()
one_time_tokens.expires_at timestamp with time zone NOT NULL
one_time_tokens.used_at timestamp with time zone
one_time_tokens.email text
one_time_tokens.email_key text
one_time_tokens.generation integer
one_time_tokens.session_id uuid
one_time_tokens.voided_at timestamp with time zone
operators.name text NOT NULL
operators.version integer NOT NULL DEFAULT 0
operators.encrypted bytea NOT NULL
outbox.id bigint NOT NULL DEFAULT nextval('outbox_ids'::regclass)
outbox.created_at timestamp with time zone NOT NULL DEFAULT now()
outbox.shard smallint NOT NULL
outbox.topic text NOT NULL
outbox.key text NOT NULL
outbox.kind text NOT NULL
outbox.event_id uuid NOT NULL
outbox.user_id bigint
outbox.sequence bigint
outbox.actor text NOT NULL
outbox.traceparent text
outbox.body jsonb NOT NULL
outbox.secret bytea
outbox.published_at timestamp with time zone
passkeys.id uuid NOT NULL
passkeys.user_id bigint NOT NULL
passkeys.credential_id text NOT NULL
passkeys.public_key bytea NOT NULL
passkeys.sign_count bigint NOT NULL
passkeys.transports text[] NOT NULL
passkeys.synced boolean NOT NULL
passkeys.label text NOT NULL
passkeys.created_at timestamp with time zone NOT NULL DEFAULT now()
passkeys.last_used_at timestamp with time zone
quarantined_logins.login bytea NOT NULL
quarantined_logins.user_id bigint
quarantined_logins.until timestamp with time zone NOT NULL
recovery_codes.user_id bigint NOT NULL
recovery_codes.hash bytea NOT NULL
recovery_codes.used_at timestamp with time zone
role_permissions.role_id smallint NOT NULL
role_permissions.permission text NOT NULL
roles.id smallint NOT NULL
roles.name text NOT NULL
roles.version integer NOT NULL DEFAULT 0
roles.requires_mfa boolean NOT NULL DEFAULT false
root_keys.kid text NOT NULL
root_keys.state text NOT NULL
root_keys.public_jwk jsonb NOT NULL
root_keys.encrypted_private_key bytea NOT NULL
root_keys.created_at timestamp with time zone NOT NULL DEFAULT now()
schemas.id integer NOT NULL
schemas.subject text NOT NULL
schemas.text text NOT NULL
serving.command text NOT NULL
serving.group text NOT NULL
serving.process text NOT NULL
serving.until timestamp with time zone NOT NULL
sessions.id uuid NOT NULL
sessions.user_id bigint
sessions.rotating boolean NOT NULL
sessions.refresh_hash bytea NOT NULL
sessions.previous_hash bytea
sessions.refresh_key integer NOT NULL
sessions.rotations integer NOT NULL DEFAULT 0
sessions.rotated_at timestamp with time zone
sessions.created_at timestamp with time zone NOT NULL DEFAULT now()
sessions.last_used_at timestamp with time zone NOT NULL DEFAULT now()
sessions.expires_at timestamp with time zone NOT NULL
sessions.ended_at timestamp with time zone
sessions.end_reason text
sessions.amr text[] NOT NULL
sessions.client jsonb
sessions.by_address boolean NOT NULL DEFAULT false
token_life.only_one boolean NOT NULL DEFAULT true
token_life.longest_ms bigint NOT NULL
totp_factors.user_id bigint NOT NULL
totp_factors.secret bytea NOT NULL
totp_factors.created_at timestamp with time zone NOT NULL DEFAULT now()
totp_factors.activated_at timestamp with time zone
totp_factors.last_step bigint NOT NULL DEFAULT 0
totp_factors.failures integer NOT NULL DEFAULT 0
totp_factors.failed_at timestamp with time zone
user_keys.user_id bigint NOT NULL
user_keys.encrypted bytea NOT NULL
user_keys.created_at timestamp with time zone NOT NULL DEFAULT now()
user_roles.user_id bigint NOT NULL
user_roles.role_id smallint NOT NULL
users.id bigint NOT NULL
users.login text NOT NULL
users.login_key text NOT NULL
users.username text NOT NULL
users.email text NOT NULL
users.email_key text NOT NULL
users.created_at timestamp with time zone NOT NULL DEFAULT now()
users.confirmed_at timestamp with time zone
users.banned_at timestamp with time zone
users.generation integer NOT NULL DEFAULT 0
users.sequence bigint NOT NULL DEFAULT 0
users.banned_until timestamp with time zone
users.ban_reason text
users.exported_at timestamp with time zone
users.locale text
users.decoy boolean NOT NULL DEFAULT false
users.registration_hash bytea
users.mail_due_at timestamp with time zone
users.device_epoch integer NOT NULL DEFAULT 0

-- constraints
address_mails address_mails_pkey PRIMARY KEY (limiter_key)
audit audit_pkey PRIMARY KEY (number, chained_at)
audit_heads audit_heads_pkey PRIMARY KEY (number)
audit_intake audit_intake_pkey PRIMARY KEY (id)
audit_keys audit_keys_pkey PRIMARY KEY (kid)
audit_state audit_state_only_one_check CHECK (only_one)
audit_state audit_state_pkey PRIMARY KEY (only_one)
challenges challenges_pkey PRIMARY KEY (id)
challenges challenges_purpose_check CHECK ((purpose = ANY (ARRAY['login-mfa'::text, 'passkey-login'::text, 'passkey-registration'::text])))
challenges challenges_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
credentials credentials_kind_check CHECK ((kind = 'password'::text))
credentials credentials_pkey PRIMARY KEY (user_id, kind)
credentials credentials_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
data_keys data_keys_pkey PRIMARY KEY (id)
dummy_user_tokens dummy_user_tokens_dummy_user_id_fkey FOREIGN KEY (dummy_user_id) REFERENCES dummy_users(id)
dummy_user_tokens dummy_user_tokens_pkey PRIMARY KEY (id)
dummy_users dummy_users_pkey PRIMARY KEY (id)
fleet_keys fleet_keys_pkey PRIMARY KEY (kid)
fleet_keys fleet_keys_state_check CHECK ((state = ANY (ARRAY['next'::text, 'active'::text, 'retired'::text])))
fleet_keys fleet_keys_use_check CHECK ((use = ANY (ARRAY['sig'::text, 'enc'::text])))
gone_keys gone_keys_pkey PRIMARY KEY (kid)
import_rejects import_rejects_pkey PRIMARY KEY (source, "position")
import_rejects import_rejects_source_fkey FOREIGN KEY (source) REFERENCES imports(source) ON DELETE CASCADE
imports imports_pkey PRIMARY KEY (source)
inbox inbox_pkey PRIMARY KEY (topic, reply_topic, idempotency_key)
inbox_0 inbox_0_pkey PRIMARY KEY (topic, reply_topic, idempotency_key)
inbox_1 inbox_1_pkey PRIMARY KEY (topic, reply_topic, idempotency_key)
inbox_2 inbox_2_pkey PRIMARY KEY (topic, reply_topic, idempotency_key)
inbox_3 inbox_3_pkey PRIMARY KEY (topic, reply_topic, idempotency_key)
inbox_4 inbox_4_pkey PRIMARY KEY (topic, reply_topic, idempotency_key)
inbox_5 inbox_5_pkey PRIMARY KEY (topic, reply_topic, idempotency_key)
inbox_6 inbox_6_pkey PRIMARY KEY (topic, reply_topic, idempotency_key)
inbox_7 inbox_7_pkey PRIMARY KEY (topic, reply_topic, idempotency_key)
known_devices known_devices_pkey PRIMARY KEY (account_key, device)
known_devices known_devices_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
login_attempts login_attempts_pkey PRIMARY KEY (limiter_key)
mail_sent mail_sent_pkey PRIMARY KEY (mail_id)
migrations migrations_pkey PRIMARY KEY (version)
network_uses network_uses_pkey PRIMARY KEY (limiter_key)
one_time_tokens one_time_tokens_pkey PRIMARY KEY (id)
one_time_tokens one_time_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
operators operators_pkey PRIMARY KEY (name)
outbox outbox_pkey PRIMARY KEY (id, created_at)
passkeys passkeys_credential_unique UNIQUE (credential_id)
passkeys passkeys_pkey PRIMARY KEY (id)
passkeys passkeys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
quarantined_logins quarantined_logins_pkey PRIMARY KEY (login)
recovery_codes recovery_codes_pkey PRIMARY KEY (user_id, hash)
recovery_codes recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
role_permissions role_permissions_pkey PRIMARY KEY (role_id, permission)
role_permissions role_permissions_role_id_fkey FOREIGN KEY (role_id) REFERENCES roles(id) ON DELETE CASCADE
roles roles_name_key UNIQUE (name)
roles roles_pkey PRIMARY KEY (id)
root_keys root_keys_pkey PRIMARY KEY (kid)
root_keys root_keys_state_check CHECK ((state = ANY (ARRAY['next'::text, 'active'::text])))
root_keys root_keys_state_key UNIQUE (state)
schemas schemas_pkey PRIMARY KEY (subject, id)
serving serving_pkey PRIMARY KEY (command, process)
sessions sessions_pkey PRIMARY KEY (id)
sessions sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE SET NULL
token_life token_life_only_one_check CHECK (only_one)
token_life token_life_pkey PRIMARY KEY (only_one)
totp_factors totp_factors_pkey PRIMARY KEY (user_id)
totp_factors totp_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
user_keys user_keys_pkey PRIMARY KEY (user_id)
user_keys user_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
user_roles user_roles_pkey PRIMARY KEY (user_id, role_id)
user_roles user_roles_role_id_fkey FOREIGN KEY (role_id) REFERENCES roles(id)
user_roles user_roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
users users_login_unique UNIQUE (login_key)
users users_pkey PRIMARY KEY (id)

-- indexes
CREATE INDEX address_mails_hour ON public.address_mails USING btree (hour)
CREATE UNIQUE INDEX address_mails_pkey ON public.address_mails USING btree (limiter_key)
CREATE UNIQUE INDEX audit_heads_pkey ON public.audit_heads USING btree (number)
CREATE UNIQUE INDEX audit_intake_pkey ON public.audit_intake USING btree (id)
CREATE UNIQUE INDEX audit_keys_pkey ON public.audit_keys USING btree (kid)
CREATE INDEX audit_of_user ON ONLY public.audit USING btree (user_id, number) WHERE (user_id IS NOT NULL)
CREATE UNIQUE INDEX audit_pkey ON ONLY public.audit USING btree (number, chained_at)
CREATE UNIQUE INDEX audit_state_pkey ON public.audit_state USING btree (only_one)
CREATE INDEX challenges_expired ON public.challenges USING btree (expires_at)
CREATE INDEX challenges_of_user ON public.challenges USING btree (user_id)
CREATE UNIQUE INDEX challenges_pkey ON public.challenges USING btree (id)
CREATE UNIQUE INDEX credentials_pkey ON public.credentials USING btree (user_id, kind)
CREATE UNIQUE INDEX data_keys_pkey ON public.data_keys USING btree (id)
CREATE INDEX dummy_user_tokens_of ON public.dummy_user_tokens USING btree (dummy_user_id, purpose, created_at)
CREATE UNIQUE INDEX dummy_user_tokens_pkey ON public.dummy_user_tokens USING btree (id)
CREATE UNIQUE INDEX dummy_users_pkey ON public.dummy_users USING btree (id)
CREATE UNIQUE INDEX fleet_keys_pkey ON public.fleet_keys USING btree (kid)
CREATE UNIQUE INDEX gone_keys_pkey ON public.gone_keys USING btree (kid)
CREATE UNIQUE INDEX import_rejects_pkey ON public.import_rejects USING btree (source, "position")
CREATE UNIQUE INDEX imports_pkey ON public.imports USING btree (source)
CREATE INDEX inbox_0_expires_at_idx ON public.inbox_0 USING btree (expires_at)
CREATE UNIQUE INDEX inbox_0_pkey ON public.inbox_0 USING btree (topic, reply_topic, idempotency_key)
CREATE INDEX inbox_1_expires_at_idx ON public.inbox_1 USING btree (expires_at)
CREATE UNIQUE INDEX inbox_1_pkey ON public.inbox_1 USING btree (topic, reply_topic, idempotency_key)
CREATE INDEX inbox_2_expires_at_idx ON public.inbox_2 USING btree (expires_at)
CREATE UNIQUE INDEX inbox_2_pkey ON public.inbox_2 USING btree (topic, reply_topic, idempotency_key)
CREATE INDEX inbox_3_expires_at_idx ON public.inbox_3 USING btree (expires_at)
CREATE UNIQUE INDEX inbox_3_pkey ON public.inbox_3 USING btree (topic, reply_topic, idempotency_key)
CREATE INDEX inbox_4_expires_at_idx ON public.inbox_4 USING btree (expires_at)
CREATE UNIQUE INDEX inbox_4_pkey ON public.inbox_4 USING btree (topic, reply_topic, idempotency_key)
CREATE INDEX inbox_5_expires_at_idx ON public.inbox_5 USING btree (expires_at)
CREATE UNIQUE INDEX inbox_5_pkey ON public.inbox_5 USING btree (topic, reply_topic, idempotency_key)
CREATE INDEX inbox_6_expires_at_idx ON public.inbox_6 USING btree (expires_at)
CREATE UNIQUE INDEX inbox_6_pkey ON public.inbox_6 USING btree (topic, reply_topic, idempotency_key)
CREATE INDEX inbox_7_expires_at_idx ON public.inbox_7 USING btree (expires_at)
CREATE UNIQUE INDEX inbox_7_pkey ON public.inbox_7 USING btree (topic, reply_topic, idempotency_key)
CREATE UNIQUE INDEX inbox_pkey ON ONLY public.inbox USING btree (topic, reply_topic, idempotency_key)
CREATE INDEX known_devices_of_user ON public.known_devices USING btree (user_id)
CREATE UNIQUE INDEX known_devices_pkey ON public.known_devices USING btree (account_key, device)
CREATE INDEX known_devices_seen ON public.known_devices USING btree (seen_at)
CREATE INDEX login_attempts_day ON public.login_attempts USING btree (day)
CREATE INDEX login_attempts_of_user ON public.login_attempts USING btree (user_id) WHERE (user_id IS NOT NULL)
CREATE UNIQUE INDEX login_attempts_pkey ON public.login_attempts USING btree (limiter_key)
CREATE INDEX mail_sent_claimed ON public.mail_sent USING btree (claimed_at)
CREATE UNIQUE INDEX mail_sent_pkey ON public.mail_sent USING btree (mail_id)
CREATE UNIQUE INDEX migrations_pkey ON public.migrations USING btree (version)
CREATE INDEX network_uses_day ON public.network_uses USING btree (day)
CREATE UNIQUE INDEX network_uses_pkey ON public.network_uses USING btree (limiter_key)
CREATE UNIQUE INDEX one_active_fleet_key ON public.fleet_keys USING btree (use) WHERE (state = 'active'::text)
CREATE INDEX one_time_tokens_expired ON public.one_time_tokens USING btree (expires_at)
CREATE INDEX one_time_tokens_of_user ON public.one_time_tokens USING btree (user_id, purpose, created_at)
CREATE UNIQUE INDEX one_time_tokens_pkey ON public.one_time_tokens USING btree (id)
CREATE UNIQUE INDEX operators_pkey ON public.operators USING btree (name)
CREATE UNIQUE INDEX outbox_pkey ON ONLY public.outbox USING btree (id, created_at)
CREATE INDEX outbox_revocations ON ONLY public.outbox USING btree (id) WHERE ((published_at IS NULL) AND (topic = 'auth.revocation'::text))
CREATE INDEX outbox_unpublished ON ONLY public.outbox USING btree (shard, id) WHERE (published_at IS NULL)
CREATE UNIQUE INDEX passkeys_credential_unique ON public.passkeys USING btree (credential_id)
CREATE INDEX passkeys_of_user ON public.passkeys USING btree (user_id)
CREATE UNIQUE INDEX passkeys_pkey ON public.passkeys USING btree (id)
CREATE INDEX quarantined_logins_of_user ON public.quarantined_logins USING btree (user_id) WHERE (user_id IS NOT NULL)
CREATE UNIQUE INDEX quarantined_logins_pkey ON public.quarantined_logins USING btree (login)
CREATE INDEX quarantined_logins_until ON public.quarantined_logins USING btree (until)
CREATE UNIQUE INDEX recovery_codes_pkey ON public.recovery_codes USING btree (user_id, hash)
CREATE UNIQUE INDEX role_permissions_pkey ON public.role_permissions USING btree (role_id, permission)
CREATE UNIQUE INDEX roles_name_key ON public.roles USING btree (name)
CREATE UNIQUE INDEX roles_pkey ON public.roles USING btree (id)
CREATE UNIQUE INDEX root_keys_pkey ON public.root_keys USING btree (kid)
CREATE UNIQUE INDEX root_keys_state_key ON public.root_keys USING btree (state)
CREATE UNIQUE INDEX schemas_pkey ON public.schemas USING btree (subject, id)
CREATE UNIQUE INDEX serving_pkey ON public.serving USING btree (command, process)
CREATE INDEX sessions_by_end ON public.sessions USING btree (expires_at) WHERE (ended_at IS NULL)
CREATE INDEX sessions_by_user ON public.sessions USING btree (user_id) WHERE (user_id IS NOT NULL)
CREATE INDEX sessions_ended ON public.sessions USING btree (ended_at) WHERE (ended_at IS NOT NULL)
CREATE INDEX sessions_of_user ON public.sessions USING btree (user_id) WHERE (ended_at IS NULL)
CREATE UNIQUE INDEX sessions_pkey ON public.sessions USING btree (id)
CREATE UNIQUE INDEX token_life_pkey ON public.token_life USING btree (only_one)
CREATE UNIQUE INDEX totp_factors_pkey ON public.totp_factors USING btree (user_id)
CREATE UNIQUE INDEX user_keys_pkey ON public.user_keys USING btree (user_id)
CREATE UNIQUE INDEX user_roles_pkey ON public.user_roles USING btree (user_id, role_id)
CREATE INDEX users_banned ON public.users USING btree (login_key COLLATE "C") WHERE (banned_at IS NOT NULL)
CREATE INDEX users_by_email ON public.users USING btree (email_key COLLATE "C", id)
CREATE INDEX users_by_login ON public.users USING btree (login_key COLLATE "C")
CREATE INDEX users_decoys ON public.users USING btree (created_at) WHERE decoy
CREATE UNIQUE INDEX users_email_unique ON public.users USING btree (email_key) WHERE (confirmed_at IS NOT NULL)
CREATE UNIQUE INDEX users_login_unique ON public.users USING btree (login_key)
CREATE INDEX users_mail_due ON public.users USING btree (mail_due_at) WHERE (mail_due_at IS NOT NULL)
CREATE INDEX users_of_role ON public.user_roles USING btree (role_id)
CREATE INDEX users_overdue ON public.users USING btree (created_at) WHERE (confirmed_at IS NULL)
CREATE UNIQUE INDEX users_pkey ON public.users USING btree (id)
CREATE INDEX users_unconfirmed ON public.users USING btree (login_key COLLATE "C") WHERE (confirmed_at IS NULL)
CREATE INDEX users_waiting ON public.users USING btree (email_key) WHERE (confirmed_at IS NULL)

-- partitions
inbox_0 of inbox FOR VALUES WITH (modulus 8, remainder 0)
inbox_1 of inbox FOR VALUES WITH (modulus 8, remainder 1)
inbox_2 of inbox FOR VALUES WITH (modulus 8, remainder 2)
inbox_3 of inbox FOR VALUES WITH (modulus 8, remainder 3)
inbox_4 of inbox FOR VALUES WITH (modulus 8, remainder 4)
inbox_5 of inbox FOR VALUES WITH (modulus 8, remainder 5)
inbox_6 of inbox FOR VALUES WITH (modulus 8, remainder 6)
inbox_7 of inbox FOR VALUES WITH (modulus 8, remainder 7)

-- sequences
audit_ids
data_keys_id_seq
outbox_ids
roles_id_seq
user_ids

-- functions
CREATE OR REPLACE FUNCTION public.attempt_delay(failures bigint, free integer, first_ms bigint, longest_ms bigint)
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT CASE WHEN failures < free THEN interval '0'
    ELSE least(longest_ms, first_ms * (1::bigint << least(failures - free, 30)::integer)) * interval '1 millisecond' END
$function$

CREATE OR REPLACE FUNCTION public.claim_commands(wanted text[], for_group text, for_process text, lasting interval)
 RETURNS TABLE(command text, "group" text, process text, until timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.count_use(limits use_limit[])
 RETURNS jsonb
 LANGUAGE plpgsql
AS $function$
DECLARE
  room use_limit;
  over jsonb;
  changed bigint;
BEGIN
  over := use_over(limits); -- in a flood most end here, without a lock and without a write
  IF over IS NOT NULL THEN
    RETURN over;
  END IF;
  -- What follows in the handler's commit flushes this too; what is lost with the server before that, nobody was told.
  PERFORM set_config('synchronous_commit', 'off', true);
  FOR n IN 1 .. COALESCE(cardinality(limits), 0) LOOP
    room := limits[n];
    INSERT INTO network_uses AS u (limiter_key, level, at) VALUES (room.limiter_key, 1, clock_timestamp())
      ON CONFLICT (limiter_key) DO UPDATE SET level = level_now(u.level, u.at, room.per_second) + 1,
        at = greatest(u.at, clock_timestamp()), day = current_date
      WHERE level_now(u.level, u.at, room.per_second) + 1 <= room.burst;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 0 THEN
      PERFORM refund_use(ARRAY(SELECT l.limiter_key FROM unnest(limits) WITH ORDINALITY AS l WHERE l.ordinality < n ORDER BY l.ordinality));
      RETURN COALESCE(use_over(limits), jsonb_build_object('waitMs', 1, 'limit', room.name));
    END IF;
  END LOOP;
  RETURN jsonb_build_object('waitMs', 0);
END $function$

CREATE OR REPLACE FUNCTION public.delete_factors(owner bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM recovery_codes WHERE user_id = owner;
  DELETE FROM totp_factors WHERE user_id = owner;
  DELETE FROM passkeys WHERE user_id = owner;
  UPDATE challenges SET expires_at = now()
  WHERE user_id = owner AND purpose = 'passkey-registration' AND used_at IS NULL AND expires_at > now();
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.delete_recovery_codes(owner bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM recovery_codes WHERE user_id = owner;
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.end_oldest_sessions(owner bigint, opened uuid, most integer, idle interval, in_shard integer, said jsonb, audited bytea)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
  ids uuid[];
BEGIN
  ids := ARRAY(
    SELECT id FROM sessions
    WHERE user_id = owner AND ended_at IS NULL AND expires_at > now() AND last_used_at > now() - idle AND id <> opened
    ORDER BY created_at DESC, id DESC OFFSET most - 1);
  IF cardinality(ids) > 0 THEN
    UPDATE sessions SET ended_at = now(), end_reason = 'limit' WHERE id = ANY(ids);
    PERFORM publish_ended_sessions(owner, ids, in_shard, said, audited);
  END IF;
  RETURN cardinality(ids);
END $function$

CREATE OR REPLACE FUNCTION public.end_other_sessions(owner bigint, spared uuid, read_before uuid[], why text, in_shard integer, said jsonb, audited bytea)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
  ids uuid[];
BEGIN
  WITH ended AS (
    UPDATE sessions SET ended_at = now(), end_reason = why
    WHERE user_id = owner AND ended_at IS NULL AND id <> spared RETURNING id, expires_at)
  SELECT COALESCE(array_agg(id), '{}') INTO ids FROM ended WHERE expires_at > now() AND id <> ALL(read_before);
  IF cardinality(ids) > 0 THEN
    PERFORM publish_ended_sessions(owner, ids, in_shard, said, audited);
  END IF;
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.end_sessions(owner bigint, spared uuid, why text)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE sessions SET ended_at = now(), end_reason = why
  WHERE user_id = owner AND ended_at IS NULL AND id IS DISTINCT FROM spared;
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.erase_attempts(owner bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM login_attempts WHERE user_id = owner;
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.erase_sessions(owner bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE sessions SET ended_at = COALESCE(ended_at, now()), end_reason = COALESCE(end_reason, 'deleted'), client = NULL
  WHERE user_id = owner;
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.forget_attempts(account bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE login_attempts SET attempts = '{}' WHERE user_id = account AND cardinality(attempts) > 0;
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.forget_devices(owner bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM known_devices WHERE user_id = owner;
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.has_no_factors(owner bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  RETURN NOT EXISTS (SELECT FROM totp_factors WHERE user_id = owner)
    AND NOT EXISTS (SELECT FROM passkeys WHERE user_id = owner)
    AND NOT EXISTS (SELECT FROM recovery_codes WHERE user_id = owner)
    AND NOT EXISTS (
      SELECT FROM challenges WHERE user_id = owner AND purpose = 'passkey-registration' AND used_at IS NULL AND expires_at > now());
END $function$

CREATE OR REPLACE FUNCTION public.is_admin_beside(leaving bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  PERFORM FROM roles WHERE name = 'admin' FOR NO KEY UPDATE;
  RETURN EXISTS (
    SELECT FROM roles r JOIN user_roles ur ON ur.role_id = r.id JOIN users u ON u.id = ur.user_id
    WHERE r.name = 'admin' AND u.id <> leaving AND u.confirmed_at IS NOT NULL AND NOT is_banned(u.banned_at, u.banned_until));
END $function$

CREATE OR REPLACE FUNCTION public.is_banned(banned_at timestamp with time zone, banned_until timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT banned_at IS NOT NULL AND (banned_until IS NULL OR banned_until > now())
$function$

CREATE OR REPLACE FUNCTION public.is_login_free(hash bytea, taker bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  RETURN NOT EXISTS (
    SELECT FROM quarantined_logins g
    WHERE g.login = hash AND g.until > now() AND (taker IS NULL OR g.user_id IS DISTINCT FROM taker));
END $function$

CREATE OR REPLACE FUNCTION public.is_session_current(session uuid, owner bigint, now_of integer)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF now_of IS NOT NULL THEN
    PERFORM FROM users WHERE id = owner AND generation = now_of AND NOT is_banned(banned_at, banned_until) FOR SHARE;
    IF NOT FOUND THEN
      RETURN false;
    END IF;
  END IF;
  PERFORM FROM sessions WHERE id = session AND user_id = owner AND ended_at IS NULL FOR SHARE;
  RETURN FOUND;
END $function$

CREATE OR REPLACE FUNCTION public.is_without_operators()
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('auth first operator'));
  RETURN NOT EXISTS (SELECT FROM operators);
END $function$

CREATE OR REPLACE FUNCTION public.level_now(level double precision, at timestamp with time zone, per_second double precision)
 RETURNS double precision
 LANGUAGE sql
AS $function$
  SELECT greatest(0, level - greatest(0, extract(epoch FROM clock_timestamp() - at)::double precision) * per_second)
$function$

CREATE OR REPLACE FUNCTION public.mail_wait_ms(sent timestamp with time zone[], most integer)
 RETURNS bigint
 LANGUAGE sql
 STABLE
AS $function$
  SELECT COALESCE((
    SELECT ceil(extract(epoch FROM s + interval '1 hour' - now()) * 1000)::bigint
    FROM unnest(sent) AS s WHERE s > now() - interval '1 hour' ORDER BY s DESC OFFSET most - 1 LIMIT 1), 0)
$function$

CREATE OR REPLACE FUNCTION public.maintain_audit_partitions(ahead integer, keep interval)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
  month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
  start timestamp;
  part record;
  last bigint;
  dropped integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('maintain_audit_partitions'));
  FOR i IN 0..ahead LOOP
    start := month + make_interval(months => i);
    EXECUTE format('CREATE TABLE IF NOT EXISTS audit_%s PARTITION OF audit FOR VALUES FROM (%L) TO (%L)',
      to_char(start, 'YYYYMM'), start::text || '+00', (start + interval '1 month')::text || '+00');
  END LOOP;
  FOR part IN
    SELECT c.relname, to_date(substr(c.relname, 7), 'YYYYMM') + interval '1 month' AS over
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit'::regclass AND c.relname ~ '^audit_\d{6}$' ORDER BY c.relname
  LOOP
    EXIT WHEN part.over > (now() AT TIME ZONE 'UTC') - keep;
    EXECUTE format('SELECT max(number) FROM %I', part.relname) INTO last;
    EXIT WHEN last IS NOT NULL AND NOT EXISTS (SELECT FROM audit_heads WHERE number = last);
    EXECUTE format('DROP TABLE %I', part.relname);
    DELETE FROM audit_heads WHERE number < last;
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $function$

CREATE OR REPLACE FUNCTION public.maintain_outbox_partitions(days integer, keep interval)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
  day date;
  part record;
  waiting boolean;
  dropped integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('maintain_outbox_partitions'));
  FOR i IN 0..days LOOP
    day := (now() AT TIME ZONE 'UTC')::date + i;
    EXECUTE format('CREATE TABLE IF NOT EXISTS outbox_%s PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)',
      to_char(day, 'YYYYMMDD'), day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
  END LOOP;
  FOR part IN
    SELECT c.relname, to_date(substr(c.relname, 8), 'YYYYMMDD') AS day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_\d{8}$'
  LOOP
    CONTINUE WHEN part.day + 1 > (now() AT TIME ZONE 'UTC')::date - keep;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE published_at IS NULL)', part.relname) INTO waiting;
    CONTINUE WHEN waiting;
    EXECUTE format('DROP TABLE %I', part.relname);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $function$

CREATE OR REPLACE FUNCTION public.must_be(actual bigint, expected bigint, what text)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF actual IS DISTINCT FROM expected THEN
    RAISE EXCEPTION USING ERRCODE = 'AU409', MESSAGE = what;
  END IF;
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.none_banned(ids bigint[])
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  RETURN NOT EXISTS (SELECT FROM users WHERE id = ANY(ids) AND is_banned(banned_at, banned_until));
END $function$

CREATE OR REPLACE FUNCTION public.publish_ended_sessions(owner bigint, ids uuid[], in_shard integer, said jsonb, audited bytea)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
  number bigint;
BEGIN
  UPDATE users SET sequence = sequence + 1 WHERE id = owner RETURNING sequence INTO number;
  INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, sequence, actor, traceparent, body)
  VALUES (in_shard, 'auth.event', owner::text, 'SessionsRevoked', (said->>'eventId')::uuid, owner, number, 'user:' || owner,
    said->>'traceparent', (said->'event') || jsonb_build_object('sessionIds', to_jsonb(ids)));
  INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, actor, traceparent, body)
  SELECT in_shard, 'auth.revocation', 's:' || id, 'json', gen_random_uuid(), owner, 'user:' || owner, said->>'traceparent', '{}'
  FROM unnest(ids) AS id;
  INSERT INTO audit_intake (encrypted) SELECT audited WHERE audited IS NOT NULL;
END $function$

CREATE OR REPLACE FUNCTION public.refund_attempt(counted_by bytea, at_source bytea, uses bytea[])
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE login_attempts l SET attempts = ARRAY(SELECT a FROM unnest(l.attempts) AS a WHERE a.source <> at_source) WHERE l.limiter_key = counted_by;
  RETURN FOUND AND refund_use(uses);
END $function$

CREATE OR REPLACE FUNCTION public.refund_use(limiter_keys bytea[])
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  FOR n IN 1 .. COALESCE(cardinality(limiter_keys), 0) LOOP
    UPDATE network_uses SET level = greatest(0, level - 1) WHERE limiter_key = limiter_keys[n];
  END LOOP;
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  RAISE EXCEPTION 'rows of % are written once', TG_TABLE_NAME;
END $function$

CREATE OR REPLACE FUNCTION public.replace_recovery_codes(owner bigint, hashes bytea[])
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM recovery_codes WHERE user_id = owner;
  INSERT INTO recovery_codes (user_id, hash) SELECT owner, hash FROM unnest(hashes) AS hash;
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.request_confirmations(ids bigint[], shards integer[], events uuid[], audited bytea[], said jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
DECLARE
  done bigint;
BEGIN
  PERFORM FROM users WHERE id = ANY(ids) ORDER BY id DESC FOR NO KEY UPDATE;
  WITH given AS (SELECT * FROM unnest(ids, shards, events, audited) AS g (id, shard, event_id, encrypted)),
  counted AS (
    UPDATE users u SET sequence = u.sequence + 1, mail_due_at = NULL FROM given g WHERE u.id = g.id AND u.confirmed_at IS NULL
    RETURNING u.id, u.sequence),
  sent AS (
    INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, sequence, actor, traceparent, body)
    SELECT g.shard, 'auth.event', g.id::text, 'ConfirmationRequested', g.event_id, g.id, c.sequence, said->>'actor', said->>'traceparent',
      said->'body'
    FROM given g JOIN counted c USING (id) RETURNING 1),
  noted AS (INSERT INTO audit_intake (encrypted) SELECT g.encrypted FROM given g JOIN counted c USING (id) RETURNING 1)
  SELECT count(*) INTO done FROM counted;
  RETURN done;
END $function$

CREATE OR REPLACE FUNCTION public.reserve_attempt(counted_by bytea, account bigint, login_named text, tried attempt, device_owner bytea, device bytea, rules jsonb, token_source bytea, token_epoch integer, limits use_limit[])
 RETURNS jsonb
 LANGUAGE plpgsql
AS $function$
DECLARE
  moment timestamptz;
  seen timestamptz;
  stored attempt[];
  counted record;
  until timestamptz;
  over jsonb;
  changed bigint;
  state text := 'new';
BEGIN
  IF token_epoch IS NOT NULL AND EXISTS (SELECT FROM users u WHERE u.login_key = login_named AND u.device_epoch = token_epoch) THEN
    state := 'token';
    tried.source := token_source;
    tried.kind := 'device';
  ELSE
    SELECT d.seen_at INTO seen FROM known_devices d WHERE d.account_key = device_owner AND d.device = reserve_attempt.device
      AND d.seen_at > now() - (rules->>'deviceTtlMs')::bigint * interval '1 millisecond';
    IF seen IS NOT NULL AND tried.kind <> 'session' THEN
      state := CASE WHEN seen > now() - interval '1 day' THEN 'known' ELSE 'stale' END;
      tried.source := device;
      tried.kind := 'device';
    END IF;
  END IF;
  IF state <> 'new' THEN
    limits := ARRAY(SELECT (l.name, l.limiter_key, l.burst, l.per_second, l.known)::use_limit
      FROM unnest(limits) WITH ORDINALITY AS l WHERE l.known ORDER BY l.ordinality);
  END IF;
  LOOP
    moment := clock_timestamp();
    tried.at := moment;
    SELECT l.attempts INTO stored FROM login_attempts l WHERE l.limiter_key = counted_by;
    IF cardinality(stored) > 0 THEN
      SELECT COALESCE(bool_or(a.key = tried.key), false) AS again,
        count(*) FILTER (WHERE a.source = tried.source) AS here, max(a.at) FILTER (WHERE a.source = tried.source) AS last_here,
        count(*) FILTER (WHERE a.kind IN ('network', 'unknown')) AS elsewhere,
        max(a.at) FILTER (WHERE a.kind IN ('network', 'unknown')) AS last_elsewhere,
        count(*) FILTER (WHERE a.kind = 'device') AS devices, max(a.at) FILTER (WHERE a.kind = 'device') AS last_device,
        (array_agg(a.at ORDER BY a.at DESC) FILTER (WHERE a.kind = 'network'))[(rules->>'most')::integer] AS too_many_since
        INTO counted FROM unnest(stored) AS a WHERE a.at > moment - interval '1 day';
      IF counted.again THEN
        RETURN jsonb_build_object('device', state, 'waitMs', 0);
      END IF;
      until := counted.last_here + attempt_delay(counted.here, (rules->>'free')::integer, (rules->>'delayMs')::bigint,
        CASE WHEN tried.kind = 'unknown' THEN (rules->>'accountDelayMaxMs')::bigint ELSE (rules->>'delayMaxMs')::bigint END);
      IF tried.kind IN ('network', 'unknown') THEN
        until := greatest(until, counted.last_elsewhere + attempt_delay(counted.elsewhere, (rules->>'accountFree')::integer,
          (rules->>'delayMs')::bigint, (rules->>'accountDelayMaxMs')::bigint));
      END IF;
      IF tried.kind = 'network' THEN
        until := greatest(until, counted.too_many_since + interval '1 day');
      END IF;
      IF tried.kind = 'device' THEN -- tokens are without number, so all devices together have a limit, too
        until := greatest(until, counted.last_device + attempt_delay(counted.devices, (rules->>'most')::integer,
          (rules->>'delayMs')::bigint, (rules->>'accountDelayMaxMs')::bigint));
      END IF;
      IF until > moment THEN
        RETURN jsonb_build_object('device', state, 'waitMs', ceil(extract(epoch FROM until - moment) * 1000), 'limit', 'account');
      END IF;
    END IF;
    over := use_over(limits);
    IF over IS NOT NULL THEN
      RETURN over || jsonb_build_object('device', state);
    END IF;
    IF account IS NULL THEN
      SELECT u.id INTO account FROM users u WHERE u.login_key = login_named;
    END IF;
    -- Whatever answer follows is committed after this and flushes it too; so nothing that anybody was told is lost with the server.
    PERFORM set_config('synchronous_commit', 'off', true);
    IF stored IS NULL THEN
      INSERT INTO login_attempts (limiter_key, user_id, attempts) VALUES (counted_by, account, ARRAY[tried]) ON CONFLICT DO NOTHING;
    ELSE
      UPDATE login_attempts l SET user_id = COALESCE(account, l.user_id), day = current_date, attempts = ARRAY(
          SELECT a FROM unnest(stored) AS a WHERE a.at > moment - interval '1 day' ORDER BY a.at DESC LIMIT 199) || tried
        WHERE l.limiter_key = counted_by AND l.attempts = stored;
    END IF;
    GET DIAGNOSTICS changed = ROW_COUNT;
    EXIT WHEN changed = 1;
  END LOOP;
  over := count_use(limits);
  IF (over->>'waitMs')::bigint > 0 THEN -- the last room was taken meanwhile: this attempt is not verified, so it does not count
    UPDATE login_attempts l SET attempts = ARRAY(SELECT a FROM unnest(l.attempts) AS a WHERE a.key <> tried.key) WHERE l.limiter_key = counted_by;
  END IF;
  RETURN over || jsonb_build_object('device', state);
END $function$

CREATE OR REPLACE FUNCTION public.stamp_revocation()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  NEW.body := NEW.body || jsonb_build_object('at', floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
  RETURN NEW;
END $function$

CREATE OR REPLACE FUNCTION public.totp_wait(failures integer, failed_at timestamp with time zone)
 RETURNS interval
 LANGUAGE sql
 STABLE
AS $function$
  SELECT CASE WHEN failures < 5 OR failed_at IS NULL THEN interval '0'
    ELSE greatest(failed_at + least(interval '30 seconds' * power(2, least(failures - 5, 12)), interval '1 day') - now(), interval '0') END
$function$

CREATE OR REPLACE FUNCTION public.use_over(limits use_limit[])
 RETURNS jsonb
 LANGUAGE plpgsql
AS $function$
DECLARE
  worst record;
BEGIN
  IF COALESCE(cardinality(limits), 0) = 0 THEN
    RETURN NULL;
  END IF;
  SELECT l.name, (level_now(u.level, u.at, l.per_second) + 1 - l.burst) / l.per_second AS seconds INTO worst
    FROM unnest(limits) AS l, LATERAL (SELECT n.level, n.at FROM network_uses n WHERE n.limiter_key = l.limiter_key LIMIT 1) AS u
    ORDER BY seconds DESC LIMIT 1;
  IF worst.seconds > 0 THEN
    RETURN jsonb_build_object('waitMs', greatest(1, ceil(worst.seconds * 1000)), 'limit', worst.name);
  END IF;
  RETURN NULL;
END $function$

CREATE OR REPLACE FUNCTION public.void_links(owner bigint, spared uuid, kinds text[], asked_in uuid)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE one_time_tokens SET voided_at = now()
  WHERE user_id = owner AND purpose = ANY(kinds) AND used_at IS NULL AND voided_at IS NULL AND expires_at > now()
    AND id IS DISTINCT FROM spared AND (asked_in IS NULL OR session_id = asked_in);
  RETURN true;
END $function$

CREATE OR REPLACE FUNCTION public.void_login_challenges(owner bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE challenges SET expires_at = now()
  WHERE user_id = owner AND purpose = 'login-mfa' AND used_at IS NULL AND expires_at > now();
  RETURN true;
END $function$


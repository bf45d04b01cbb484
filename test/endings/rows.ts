// What ends something: the rows of the matrix, each with what it ends. A command stands here more than once where what
// it ends depends on how it is asked.
import { randomBytes } from "node:crypto";
import { sql } from "slonik";
import { z } from "zod";
import { purgeUnconfirmed } from "../../src/relay/unconfirmed.ts";
import {
  begunRegistration,
  outcomeOf,
  type Scenario,
  type Session,
  shownNow,
  withApp,
  withLostPasskey,
} from "./scenario.ts";

export interface Row {
  name: string;
  /** Of the handler; undefined: what the fleet does by itself. */
  topic?: string;
  /** By what it is given, where a change of the user's rights or factors meanwhile refuses it. */
  by?: "a" | "link";
  /** Which accounts it can be about; default: confirmed ones. */
  accounts?: "confirmed" | "unconfirmed" | "any";
  /** Whether the user's generation rises: access tokens, challenges and links of before end. */
  outdates?: true;
  /** Which sessions end; default: none. */
  sessions?: "all" | "others" | "b";
  /** Which links end by themselves. */
  links?: "mailed" | "of b" | "all";
  /** Logins that have shown a password and no second factor yet. */
  challenges?: true;
  password?: true;
  factors?: true;
  codes?: true;
  devices?: true;
  address?: true;
  /** It is about whoever it finds: no other cell may be held beside it. */
  alone?: true;
  /** Nobody comes in afterwards: the account is banned, or gone. */
  closes?: "banned" | "gone";
  /** Columns that it cannot meet, and why; or the only ones that it differs in from another row. */
  never?: Record<string, string>;
  only?: string[];
  /** Whoever is confirmed meanwhile stays. */
  unlessConfirmed?: true;
  /** Where it comes first there is nothing to end, and it changes nothing. */
  endsWhatItFinds?: true;
  prepare(scenario: Scenario): Promise<() => Promise<unknown>>;
}

const reason = "a test";
const newPassword = () => `quite another ${randomBytes(8).toString("hex")}`;
const gone = {
  outdates: true,
  sessions: "all",
  links: "all",
  factors: true,
  codes: true,
  devices: true,
  closes: "gone",
} as const;
const banned = { accounts: "any", outdates: true, sessions: "all", links: "all", closes: "banned" } as const;

/** For an administrator, about the user. */
function administered(
  topic: `auth.admin.${"ban-user" | "delete-user" | "set-roles" | "revoke-sessions" | "reset-mfa"}`,
  more: (scenario: Scenario) => object = () => ({}),
): Row["prepare"] {
  return async (scenario) => {
    const { harness, id, actorToken } = scenario;
    const request = { actorToken, target: `id:${id}`, reason, ...more(scenario) };
    return () => harness.ask(topic, request as never);
  };
}

const told =
  (topic: string): Row["prepare"] =>
  async ({ harness, id }) =>
  () =>
    harness.tell(topic, { id });

async function linkOf({ harness, id }: Scenario, ask: () => Promise<unknown>): Promise<string> {
  const before = await harness.mailedTokens({ userId: id });
  await ask();
  return (await harness.mailedTokens({ userId: id })).find((token) => !before.includes(token))!;
}

/** So many sessions more, older than all others. */
const withSessions = ({ harness, a }: Scenario, count: number) =>
  harness.pool.query(sql.unsafe`
    INSERT INTO sessions (id, user_id, rotating, refresh_hash, refresh_key, created_at, expires_at, amr)
    SELECT gen_random_uuid(), user_id, rotating, refresh_hash, refresh_key, created_at, expires_at, amr
    FROM sessions, generate_series(1, ${count}) WHERE id = ${a.sessionId}::uuid`);

const noAppMeanwhile = {
  enroll: "an app is active, or being activated: enrolling another is refused, or takes its place",
  activate: "there is one app, and both are about it",
};

export const rows: Row[] = [
  {
    name: "logout everywhere",
    topic: "auth.session.logout",
    by: "a",
    ...{ outdates: true, sessions: "all" },
    async prepare({ harness, a: { accessToken } }) {
      return () => harness.ask("auth.session.logout", { accessToken, everywhere: true });
    },
  },
  {
    name: "logout",
    topic: "auth.session.logout",
    sessions: "b",
    async prepare({ harness, b: { accessToken } }) {
      return () => harness.ask("auth.session.logout", { accessToken });
    },
  },
  {
    name: "revoke one",
    topic: "auth.session.revoke",
    by: "a",
    ...{ sessions: "b", links: "of b" },
    async prepare({ harness, a: { accessToken }, b: { sessionId } }) {
      return () => harness.ask("auth.session.revoke", { accessToken, sessionId });
    },
  },
  {
    name: "revoke others",
    topic: "auth.session.revoke",
    by: "a",
    ...{ sessions: "others", links: "mailed", challenges: true },
    async prepare({ harness, a: { accessToken } }) {
      return () => harness.ask("auth.session.revoke", { accessToken, others: true });
    },
  },
  {
    name: "revoke many others",
    topic: "auth.session.revoke",
    by: "a",
    ...{ outdates: true, sessions: "others" },
    async prepare(scenario) {
      await withSessions(scenario, 100);
      return () => scenario.harness.ask("auth.session.revoke", { accessToken: scenario.a.accessToken, others: true });
    },
  },
  {
    name: "reuse of a refresh token",
    topic: "auth.session.refresh",
    sessions: "b",
    async prepare(scenario) {
      const { harness, b } = scenario;
      const renew = (refreshToken: string) => harness.ask("auth.session.refresh", { refreshToken });
      scenario.b = await renew((await renew(b.refreshToken)).refreshToken);
      return async () => {
        const outcome = await outcomeOf(renew(b.refreshToken));
        if (outcome !== "REFRESH_REUSED") throw new Error(`it was ${outcome}`);
      };
    },
  },
  {
    name: "one session too many",
    topic: "auth.session.login",
    sessions: "b",
    never: Object.fromEntries(
      ["login's challenge", "login-mfa", "passkey login", "activate", "recovery codes", "finish a passkey"].map(
        (column) => [column, "with a second factor a login opens no session"],
      ),
    ),
    async prepare(scenario) {
      const { harness, b, login, password } = scenario;
      await withSessions(scenario, harness.settings.sessionsMax - 2);
      await harness.pool.query(sql.unsafe`
        UPDATE sessions SET created_at = now() - interval '5 minutes' WHERE id = ${b.sessionId}::uuid`); // the oldest, and still young enough to add a passkey
      return () => harness.ask("auth.session.login", { login, password });
    },
  },
  {
    name: "password change",
    topic: "auth.password.change",
    by: "a",
    ...{ outdates: true, sessions: "others", password: true },
    async prepare({ harness, a: { accessToken }, password: currentPassword }) {
      return () => harness.ask("auth.password.change", { accessToken, currentPassword, newPassword: newPassword() });
    },
  },
  {
    name: "password reset",
    topic: "auth.password.reset",
    by: "link",
    ...{ outdates: true, sessions: "all", password: true, devices: true },
    async prepare(scenario) {
      const { harness, email } = scenario;
      const token = await linkOf(scenario, () => harness.ask("auth.password.forgot", { email }));
      return () => harness.ask("auth.password.reset", { token, newPassword: newPassword() });
    },
  },
  {
    name: "another address",
    topic: "auth.account.confirm-email",
    address: true,
    by: "link",
    links: "mailed",
    async prepare(scenario) {
      const { harness, login, password, a } = scenario;
      const newEmail = `new.${login}@example.com`;
      const ask = { accessToken: a.accessToken, password, newEmail };
      const token = await linkOf(scenario, () => harness.ask("auth.account.change-email", ask));
      return () => harness.ask("auth.account.confirm-email", { token });
    },
  },
  {
    name: "app activated",
    topic: "auth.mfa.activate",
    codes: true,
    by: "a",
    ...{ outdates: true, sessions: "others" },
    never: noAppMeanwhile,
    async prepare(scenario) {
      const secret = await withApp(scenario, { active: false });
      const { accessToken } = scenario.a;
      return () => scenario.harness.ask("auth.mfa.activate", { accessToken, code: shownNow(secret) });
    },
  },
  {
    name: "app disabled",
    topic: "auth.mfa.disable",
    by: "a",
    ...{ outdates: true, sessions: "others" },
    never: noAppMeanwhile,
    async prepare(scenario) {
      await withApp(scenario, { active: true });
      const { accessToken } = scenario.a;
      return () => scenario.harness.ask("auth.mfa.disable", { accessToken });
    },
  },
  {
    name: "passkey added",
    topic: "auth.passkey.finish-registration",
    by: "a",
    ...{ outdates: true, sessions: "others" },
    async prepare(scenario) {
      const { answer } = await begunRegistration(scenario, scenario.a);
      return () => scenario.harness.ask("auth.passkey.finish-registration", answer);
    },
  },
  {
    name: "passkey removed",
    topic: "auth.passkey.remove",
    by: "a",
    ...{ outdates: true, sessions: "others" },
    async prepare(scenario) {
      const passkeyId = await withLostPasskey(scenario);
      const { accessToken } = scenario.a;
      return () => scenario.harness.ask("auth.passkey.remove", { accessToken, passkeyId });
    },
  },
  {
    name: "last factor removed",
    topic: "auth.passkey.remove",
    by: "a",
    ...{ outdates: true, sessions: "others", codes: true },
    only: ["recovery codes"],
    async prepare({ harness, id, a: { accessToken } }) {
      const { passkeyId } = await harness.pool.one(sql.type(z.object({ passkeyId: z.string() }))`
        SELECT id AS "passkeyId" FROM passkeys WHERE user_id = ${id}`);
      return () => harness.ask("auth.passkey.remove", { accessToken, passkeyId });
    },
  },
  {
    name: "other recovery codes",
    topic: "auth.mfa.recovery-codes",
    codes: true,
    only: ["recovery codes"],
    async prepare({ harness, a: { accessToken } }) {
      return () => harness.ask("auth.mfa.recovery-codes", { accessToken });
    },
  },
  { name: "ban", topic: "auth.admin.ban-user", ...banned, prepare: administered("auth.admin.ban-user") },
  { name: "the platform's ban", topic: "admin_ban_user", ...banned, prepare: told("admin_ban_user") },
  {
    name: "delete",
    topic: "auth.account.delete",
    by: "a",
    ...gone,
    async prepare({ harness, a: { accessToken }, password }) {
      return () => harness.ask("auth.account.delete", { accessToken, password });
    },
  },
  {
    name: "delete by an administrator",
    topic: "auth.admin.delete-user",
    accounts: "any",
    ...gone,
    prepare: administered("auth.admin.delete-user"),
  },
  { name: "the platform's delete", topic: "delete", accounts: "any", ...gone, prepare: told("delete") },
  {
    name: "the platform's administrator's delete",
    topic: "admin_delete_user",
    accounts: "any",
    ...gone,
    prepare: told("admin_delete_user"),
  },
  {
    name: "not confirmed in time, the platform says",
    unlessConfirmed: true,
    topic: "check_verified",
    accounts: "unconfirmed",
    ...gone,
    prepare: told("check_verified"),
  },
  {
    name: "not confirmed in time",
    unlessConfirmed: true,
    alone: true,
    accounts: "unconfirmed",
    ...gone,
    async prepare({ harness: { parts, pool }, id }) {
      await pool.query(sql.unsafe`UPDATE users SET created_at = now() - interval '10 years' WHERE id = ${id}`);
      return () => purgeUnconfirmed({ ...parts, ttlMs: 5 * 365 * 86_400_000 });
    },
  },
  {
    name: "roles",
    topic: "auth.admin.set-roles",
    accounts: "any",
    outdates: true,
    prepare: administered("auth.admin.set-roles", () => ({ roles: ["user"] })),
  },
  {
    name: "revoke all by an administrator",
    topic: "auth.admin.revoke-sessions",
    accounts: "any",
    ...{ outdates: true, sessions: "all" },
    prepare: administered("auth.admin.revoke-sessions"),
  },
  {
    name: "revoke one by an administrator",
    topic: "auth.admin.revoke-sessions",
    ...{ sessions: "b", links: "of b" },
    prepare: administered("auth.admin.revoke-sessions", ({ b }: { b: Session }) => ({ sessionId: b.sessionId })),
  },
  {
    name: "reset of factors",
    topic: "auth.admin.reset-mfa",
    ...{ outdates: true, sessions: "all", factors: true, codes: true },
    async prepare(scenario) {
      await withLostPasskey(scenario);
      return administered("auth.admin.reset-mfa")(scenario);
    },
  },
  {
    name: "reset of factors, one being set up",
    topic: "auth.admin.reset-mfa",
    ...{ outdates: true, sessions: "all", factors: true, codes: true },
    only: ["activate", "finish a passkey"],
    prepare: administered("auth.admin.reset-mfa"),
  },
  {
    name: "reset of factors, none begun",
    topic: "auth.admin.reset-mfa",
    ...{ outdates: true, sessions: "all", factors: true, codes: true },
    only: ["enroll", "begin a passkey"],
    endsWhatItFinds: true,
    prepare: administered("auth.admin.reset-mfa"),
  },
];

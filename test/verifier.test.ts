// Access tokens after something was taken away: {logout, everywhere, revoke, ban, delete, password change and reset,
// MFA change, role change, key revoke} x {refresh, inspect, local verifier, CurrentUser of the bridge}. Each cell
// states its outcome; for those that learn it from the feed, how long that took is printed. And the verifier's own
// promises: it says how fresh it is, and what it does when it is not.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { decodeProtectedHeader } from "jose";
import { type Client, connect, type Verifier } from "../src/client/index.ts";
import { Refusal } from "../src/protocol/errors.ts";
import { called } from "./authctl/authctl.ts";
import { connectGateway, type Gateway } from "./bridge/gateway.ts";
import { enrolled, shownNow } from "./support/factors.ts";
import { type Fleet, startFleet } from "./support/fleet.ts";
import { mailedToken } from "./support/mails.ts";
import { operatorToken } from "./support/operator.ts";
import { end } from "./support/processes.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";
import { until } from "./support/until.ts";
import { type Confirmed, confirmed, loggedIn, refused } from "./support/users.ts";

let own: Fleet;
let fleet: TestFleet;
let client: Client;
let verifier: Verifier;
let gateway: Gateway;
let actorToken: string;
beforeAll(async () => {
  own = await startFleet("verifier", { env: { AUTH_VERIFIER_MAX_AGE: "3s" } });
  fleet = await testFleet(own);
  client = connect({
    brokers: own.env["AUTH_KAFKA_BROKERS"]!.split(","),
    registry: own.env["AUTH_REGISTRY_URL"]!,
    name: "gateway",
    topicPrefix: own.prefix,
  });
  verifier = client.verifier({ maxAgeMs: 3000 });
  gateway = await connectGateway(own.grpc);
  await Promise.all([client.ready(), verifier.ready()]);
}, 90_000);
beforeEach(async () => {
  actorToken = await operatorToken(own); // it is good for a minute
});
afterAll(async () => {
  gateway.close();
  await client.close();
  await fleet.close();
  await own.stop();
});

type Session = Awaited<ReturnType<typeof loggedIn>>;
type Outcomes = Record<"refresh" | "inspect" | "local" | "bridge", string>;

const code = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "ok",
    (error: unknown) => (error instanceof Refusal ? error.code : String(error)),
  );
const local = ({ accessToken }: Session): Promise<string> =>
  code(verifier.verify(accessToken, { whenStale: "refuse" }));
const bridge = async ({ accessToken }: Session): Promise<string> => {
  const { status, code: refusal } = await gateway.call("CurrentUser", { access_token: accessToken });
  return refusal ?? (status === "OK" ? "ok" : status);
};

/**
 * ms until it is no longer accepted. Returns once it is refused for good: a verifier that may not ask the fleet says
 * UNAVAILABLE between the record that takes a key away and the one that says that the key was revoked, which stand on
 * two topics.
 */
async function lasted(since: number, ask: () => Promise<string>): Promise<number> {
  const said = async (...temporary: string[]): Promise<number> => {
    while (temporary.includes(await ask())) {
      if (performance.now() - since > 5000) throw new Error("it is still accepted after 5 s");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return performance.now() - since;
  };
  const refused = await said("ok");
  await said("UNAVAILABLE");
  return refused;
}

const took: Record<string, { local: number[]; bridge: number[] }> = {};

/**
 * Does the action, waits until both that read the feed have heard of it, and says what each of the four answers then.
 */
async function outcomesOf(name: string, session: Session, action: () => Promise<unknown>): Promise<Outcomes> {
  expect([await local(session), await bridge(session)]).toEqual(["ok", "ok"]);
  await action();
  const since = performance.now();
  took[name] ??= { local: [], bridge: [] };
  const [here, there] = await Promise.all([lasted(since, () => local(session)), lasted(since, () => bridge(session))]);
  took[name].local.push(here);
  took[name].bridge.push(there);
  const outcomes = { inspect: "", local: await local(session), bridge: await bridge(session), refresh: "" };
  outcomes.inspect = await code(client.session.inspect({ accessToken: session.accessToken }));
  outcomes.refresh = await code(client.session.refresh({ refreshToken: session.refreshToken }));
  return outcomes;
}

const over: Outcomes = {
  refresh: "SESSION_REVOKED",
  inspect: "SESSION_REVOKED",
  local: "SESSION_REVOKED",
  bridge: "SESSION_REVOKED",
};
const outdated: Outcomes = { refresh: "ok", inspect: "TOKEN_EXPIRED", local: "TOKEN_EXPIRED", bridge: "TOKEN_EXPIRED" };

interface Action {
  name: string;
  /** To the session itself, or to another one of its user. */
  who: "own" | "other";
  does(user: Confirmed, session: Session): Promise<unknown>;
  outcomes: Outcomes;
}

const withNewApp = async (accessToken: string) =>
  client.mfa.activate({ accessToken, code: shownNow(await enrolled(fleet, accessToken)), endOthers: true });
const target = ({ id }: Confirmed): string => `id:${id}`;
const reason = "a test";
const actions: Action[] = [
  {
    name: "logout",
    who: "own",
    does: (_person, { accessToken }) => client.session.logout({ accessToken }),
    outcomes: over,
  },
  {
    name: "logout everywhere",
    who: "other",
    does: ({ tokens }) => client.session.logout({ accessToken: tokens.accessToken, everywhere: true }),
    outcomes: over,
  },
  {
    name: "session revoke",
    who: "other",
    does: ({ tokens }, { sessionId }) => client.session.revoke({ accessToken: tokens.accessToken, sessionId }),
    outcomes: over,
  },
  {
    name: "ban",
    who: "other",
    does: (user) => client.admin.banUser({ actorToken, target: target(user), reason }),
    outcomes: over,
  },
  {
    name: "delete",
    who: "other",
    does: (user) => client.admin.deleteUser({ actorToken, target: target(user), reason }),
    outcomes: over,
  },
  {
    name: "password change, the acting session",
    who: "own",
    does: ({ password }, { accessToken }) =>
      client.password.change({ accessToken, currentPassword: password, newPassword: `new ${password}` }),
    outcomes: outdated,
  },
  {
    name: "password change, another session",
    who: "other",
    does: ({ tokens, password }) =>
      client.password.change({
        accessToken: tokens.accessToken,
        currentPassword: password,
        newPassword: `new ${password}`,
      }),
    // The feed says that a refresh is needed; the refresh says that the session is over.
    outcomes: { ...outdated, refresh: "SESSION_REVOKED", inspect: "SESSION_REVOKED" },
  },
  {
    name: "password reset",
    who: "other",
    async does({ email, password }) {
      await client.password.forgot({ email });
      const token = await mailedToken(fleet, email, "reset");
      await client.password.reset({ token, newPassword: `new ${password}` });
    },
    outcomes: over,
  },
  {
    name: "MFA change, the acting session",
    who: "own",
    does: (_person, { accessToken }) => withNewApp(accessToken),
    outcomes: outdated,
  },
  {
    name: "MFA change, another session",
    who: "other",
    does: ({ tokens }) => withNewApp(tokens.accessToken),
    outcomes: { ...outdated, refresh: "SESSION_REVOKED", inspect: "SESSION_REVOKED" },
  },
  {
    name: "role change",
    who: "other",
    does: (user) => client.admin.setRoles({ actorToken, target: target(user), roles: ["admin"] }),
    outcomes: outdated,
  },
];

describe("after", () => {
  test.each(actions)(
    "$name",
    async ({ name, who, does, outcomes }) => {
      for (let n = 0; n < 5; n += 1) {
        const user = await confirmed(fleet);
        const session = who === "own" ? user.tokens : await loggedIn(fleet, user);
        expect(await outcomesOf(name, session, () => does(user, session))).toEqual(outcomes);
      }
    },
    60_000,
  );

  test("a role change a refresh gives a token with the new roles, everywhere", async () => {
    const user = await confirmed(fleet);
    await client.admin.setRoles({ actorToken, target: target(user), roles: ["admin"] });
    const { accessToken } = await client.session.refresh({ refreshToken: user.tokens.refreshToken });
    expect((await verifier.verify(accessToken)).roles).toEqual(["admin"]);
    const { reply } = await gateway.call("CurrentUser", { access_token: accessToken });
    expect(reply).toMatchObject({ id: user.id, login: user.login, role: "admin" });
  });

  /** ASVS 7.4.5. */
  test("authctl users revoke-sessions --all: ends the sessions of all users, on every page", async () => {
    const known = [await confirmed(fleet), await confirmed(fleet)];
    // More of them than a page has.
    await fleet.sql.query(`
      INSERT INTO users (id, login, login_key, username, email, email_key, confirmed_at)
      SELECT nextval('user_ids'), name, name, name, name || '@example.com', name || '@example.com', now()
      FROM (SELECT 'user' || i AS name FROM generate_series(1, 250) AS i) AS made`);
    const sessions = known.map(({ tokens }) => tokens);
    expect(await Promise.all(sessions.map(local))).toEqual(["ok", "ok"]); // the control
    const said = await called(["users", "revoke-sessions", "--all", "--yes", "--reason", "a leak", "--json"], own.env);
    expect([said.code, JSON.parse(said.stdout)]).toEqual([0, expect.objectContaining({ done: true })]);
    const { users, ended } = JSON.parse(said.stdout) as { users: number; ended: number };
    expect([users > 250, ended >= 2]).toEqual([true, true]);
    const { rows } = await fleet.sql.query("SELECT user_id FROM sessions WHERE ended_at IS NULL");
    expect(rows).toEqual([]);
    for (const { accessToken, refreshToken } of sessions) {
      expect(await code(client.session.inspect({ accessToken }))).toBe("SESSION_REVOKED");
      expect(await code(client.session.refresh({ refreshToken }))).toBe("SESSION_REVOKED");
    }
    for (const session of sessions) await until("the verifier knows", async () => (await local(session)) !== "ok");
    expect(await code(loggedIn(fleet, known[0]!))).toBe("ok");
  }, 60_000);

  test("a key revoke: access tokens of the key end, sessions go on", async () => {
    const user = await confirmed(fleet);
    const kid = decodeProtectedHeader(user.tokens.accessToken).kid!;
    const outcomes = await outcomesOf("key revoke", user.tokens, async () => {
      const ran = await called(["keys", "revoke", "--yes", "--", kid], own.env);
      expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining(`revoked ${kid} (ES256, active)`) });
    });
    const invalid = "TOKEN_INVALID";
    expect(outcomes).toEqual({ refresh: "ok", inspect: invalid, local: invalid, bridge: invalid });
    const fresh = await loggedIn(fleet, user);
    expect(decodeProtectedHeader(fresh.accessToken).kid).not.toBe(kid);
    await until("the new key is known here", async () => (await local(fresh)) === "ok");
    await until("the new key is known to the bridge", async () => (await bridge(fresh)) === "ok");
    expect((await called(["keys", "revoke", "--yes", "--", kid], own.env)).code).toBe(1);
  });

  afterAll(() => {
    const at = (times: number[], share: number) =>
      [...times].sort((a, b) => a - b)[Math.ceil(times.length * share) - 1]!.toFixed(0);
    const rows = Object.entries(took).map(
      ([name, { local: here, bridge: there }]) =>
        `${name}: local p50 ${at(here, 0.5)} max ${at(here, 1)}, bridge p50 ${at(there, 0.5)} max ${at(there, 1)}`,
    );
    console.log(`ms from the answer of a action to its refusal:\n${rows.join("\n")}`);
  });
});

describe("a verifier", () => {
  test("says whom a token speaks for, as the fleet does, and how fresh that is", async () => {
    const { tokens, id, login } = await confirmed(fleet);
    const identity = await client.session.inspect({ accessToken: tokens.accessToken });
    const said = await verifier.verify(tokens.accessToken);
    expect(said).toMatchObject({ userId: id, login, roles: [], by: "local", fresh: true });
    expect([said.sessionId, said.expiresAt]).toEqual([identity.sessionId, identity.expiresAt]);
    expect(said.ageMs).toBeLessThan(3000);
  });

  test("refuses what is no token of the fleet", async () => {
    const { tokens } = await confirmed(fleet);
    expect(await code(verifier.verify(""))).toBe("INVALID_INPUT");
    for (const bad of ["x", tokens.refreshToken, `${tokens.accessToken.slice(0, -6)}AAAAAA`])
      expect(await code(verifier.verify(bad))).toBe("TOKEN_INVALID");
  });

  test("forgets at once what was ended through it, before the feed says so", async () => {
    const { tokens } = await confirmed(fleet);
    expect(await local(tokens)).toBe("ok");
    verifier.end(tokens.accessToken);
    expect(await local(tokens)).toBe("SESSION_REVOKED");
  });

  test("the bridge refuses at once what it has just logged out", async () => {
    const { tokens } = await confirmed(fleet);
    expect(await bridge(tokens)).toBe("ok");
    await gateway.call("LogOutUser", { token_pod: tokens.accessToken });
    expect(await bridge(tokens)).toBe("SESSION_REVOKED");
  });

  test("JWKS over HTTP holds the signing keys and nothing private", async () => {
    const response = await fetch(`${own.http["bridge-1"]!}/.well-known/jwks.json`);
    expect(response.headers.get("content-type")).toBe("application/jwk-set+json");
    const { keys } = (await response.json()) as { keys: Record<string, string>[] };
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect(Object.keys(key).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
  });
});

/** A mark in each partition of auth.revocation, as anybody can write it who may write there. */
async function marksOf(asOf: number): Promise<void> {
  const partitions = (await fleet.kafka.partitionsOf("auth.revocation"))!;
  const value = Buffer.from(JSON.stringify({ asOf }));
  const marks = Array.from({ length: partitions }, (_, partition) => ({ topic: "auth.revocation", partition, value }));
  await fleet.kafka.produce(marks.map((mark) => ({ ...mark, key: Buffer.from("asOf"), headers: {} })));
}

describe("when the relay has stopped", () => {
  test("the verifier turns not fresh within its bound; then the policy decides, and a known revocation counts under each", async () => {
    const user = await confirmed(fleet);
    const { tokens } = user;
    const gone = await loggedIn(fleet, user);
    await client.session.logout({ accessToken: gone.accessToken });
    await until("the logout is known", async () => (await local(gone)) === "SESSION_REVOKED");
    const stopped = performance.now();
    await end(own.processes.get("relay-1")!);
    await until("it is not fresh", () => !verifier.fresh, 6000);
    console.log(
      `not fresh ${Math.round(performance.now() - stopped)} ms after the relay was told to stop; the bound is 3000`,
    );
    const { accessToken } = tokens;
    const refusal = await refused(verifier.verify(accessToken, { whenStale: "refuse" }));
    expect([refusal.code, refusal.details["reason"]]).toEqual(["UNAVAILABLE", "stale"]);
    expect(await verifier.verify(accessToken, { whenStale: "accept" })).toMatchObject({ by: "local", fresh: false });
    await marksOf(Date.UTC(2100, 0, 1)); // by whoever can write there: neither fresh by it nor beyond any token's end
    expect(await verifier.verify(accessToken, { whenStale: "accept" })).toMatchObject({ by: "local", fresh: false });
    await marksOf(Date.now()); // the control: the verifier has read those, and such a mark counts
    await until("it is fresh by a mark", () => verifier.fresh);
    await until("and not for longer than its bound", () => !verifier.fresh);
    expect(await verifier.verify(accessToken)).toMatchObject({ by: "fleet", fresh: true, login: user.login });
    expect(await code(verifier.verify(gone.accessToken, { whenStale: "accept" }))).toBe("SESSION_REVOKED");
    // What nobody can know from the feed now, the fleet knows: the bridge asks it.
    await client.session.logout({ accessToken });
    expect(await bridge(tokens)).toBe("SESSION_REVOKED");
    expect(await code(verifier.verify(accessToken, { whenStale: "accept" }))).toBe("ok");
    await own.start("relay", "relay-2");
    await until("it is fresh again", () => verifier.fresh);
    expect(await local(tokens)).toBe("SESSION_REVOKED");
  }, 60_000);
});

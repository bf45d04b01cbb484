// Known devices through Kafka: a user who has shown every factor on a device does not wait there for guesses from
// elsewhere, however the login ended. The controls are devices on which the user did not log in, which wait.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { SessionTokens } from "../../src/accounts/sessions.ts";
import type { ClientInput } from "../../src/protocol/generated/schemas.ts";
import {
  answer,
  codeOf,
  finishLogin,
  type WithApp,
  type WithPasskey,
  withApp,
  withPasskey,
} from "../support/factors.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { refusalOf, refused, type TestUser } from "../support/users.ts";

let fleet: TestFleet;
let app: WithApp;
let passkey: WithPasskey;
beforeAll(async () => {
  fleet = await testFleet();
  [app, passkey] = [await withApp(fleet), await withPasskey(fleet)];
}, 60_000);
afterAll(() => fleet.close());

const wrong = "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ";

function logIn({ login, password }: Pick<TestUser, "login" | "password">, client: ClientInput) {
  return fleet.client.request("auth.session.login", { login, password, client });
}

async function challengeOf(user: TestUser, client: ClientInput): Promise<string> {
  return (await logIn(user, client)).challenge!.challenge;
}

const beginLogin = (login: string, challenge: string, client: ClientInput | null) =>
  fleet.client.request("auth.passkey.begin-login", { login, challenge, client });

/**
 * Guesses from ever other networks until one has to wait; then as if the last of them were to be waited for longer than
 * any test takes.
 */
async function attack({ login }: TestUser, net: number): Promise<void> {
  for (let host = 0, code = ""; code !== "THROTTLED"; host += 1) {
    code = await refusalOf(logIn({ login, password: "not the right one" }, { ip: `10.${net}.${host}.1` }));
    if (code !== "THROTTLED") expect(code).toBe("INVALID_CREDENTIALS");
  }
  await fleet.sql.query(
    `UPDATE login_attempts SET attempts = ARRAY(SELECT ROW(a.source, a.kind, a.key, a.at + interval '10 minutes')::attempt FROM unnest(attempts) AS a)
     WHERE user_id = (SELECT id FROM users WHERE login = $1)`,
    [login],
  );
}

interface Way {
  user(): WithApp | WithPasskey;
  /** Logs in from the device. */
  enter(device: ClientInput): Promise<SessionTokens>;
  /** Begins alike, and does not get in. */
  fail(device: ClientInput): Promise<string>;
}

const ways: [string, Way][] = [
  [
    "an authenticator app",
    {
      user: () => app,
      enter: async (device) => answer(fleet, await challengeOf(app, device), await codeOf(fleet, app)),
      fail: async (device) => refusalOf(answer(fleet, await challengeOf(app, device), "000")),
    },
  ],
  [
    "a recovery code",
    {
      user: () => app,
      enter: async (device) => answer(fleet, await challengeOf(app, device), app.codes[0]!, "recovery"),
      fail: async (device) => refusalOf(answer(fleet, await challengeOf(app, device), wrong, "recovery")),
    },
  ],
  [
    "a passkey after the password",
    {
      user: () => passkey,
      enter: async (device) => {
        const { options, challenge } = await beginLogin(passkey.login, await challengeOf(passkey, device), null);
        return finishLogin(fleet, challenge, passkey.device.get(options));
      },
      fail: async (device) => {
        const { options, challenge } = await beginLogin(passkey.login, await challengeOf(passkey, device), null);
        return refusalOf(
          finishLogin(fleet, challenge, passkey.device.get(options, { origin: "https://evil.example" })),
        );
      },
    },
  ],
  [
    "a passkey alone",
    {
      user: () => passkey,
      enter: async (device) => {
        const { options, challenge } = await beginLogin(passkey.login, "", device);
        return finishLogin(fleet, challenge, passkey.device.get(options));
      },
      fail: async (device) => {
        const { options, challenge } = await beginLogin(passkey.login, "", device);
        return refusalOf(
          finishLogin(fleet, challenge, passkey.device.get(options, { origin: "https://evil.example" })),
        );
      },
    },
  ],
  [
    "a passkey that said whose it is",
    {
      user: () => passkey,
      enter: async (device) => {
        const { options, challenge } = await beginLogin("", "", device);
        return finishLogin(fleet, challenge, passkey.device.get(options));
      },
      fail: async (device) => {
        const { options, challenge } = await beginLogin("", "", device);
        return refusalOf(
          finishLogin(fleet, challenge, passkey.device.get(options, { origin: "https://evil.example" })),
        );
      },
    },
  ],
];

describe.each(ways)("a login that ended by %s", (name, { user, enter, fail }) => {
  const net = 100 + ways.findIndex(([each]) => each === name);
  const home = { ip: `192.0.${net}.1`, device: "laptop" };
  const cafe = { ip: `198.51.${net}.1`, device: "phone" };

  test("makes its device known: guesses from elsewhere do not delay it, nor lock its owner out", async () => {
    expect(await enter(home)).toMatchObject({ userId: user().id });
    expect(await fail(cafe)).toBe("MFA_INVALID");
    await attack(user(), net);
    expect(await logIn(user(), home)).toMatchObject({ challenge: { challenge: expect.any(String) } });
    // The controls: from a device that was never used, and from one where the factor was not shown, the right password
    // has to wait.
    expect(await refused(logIn(user(), { ...home, device: "another" }))).toMatchObject({
      code: "THROTTLED",
      details: { reason: "attempts" },
    });
    expect(await refusalOf(logIn(user(), cafe))).toBe("THROTTLED");
    await fleet.sql.query("DELETE FROM login_attempts WHERE user_id = $1", [user().id]);
  });
});

test("a device is written anew once a day, and not at every login", async () => {
  const device = { ip: "192.0.2.1", device: "laptop" };
  const seen = async () => {
    const { rows } = await fleet.sql.query<{ at: string }>(
      "SELECT max(seen_at)::text AS at FROM known_devices WHERE user_id = $1",
      [app.id],
    );
    return rows[0]!.at;
  };
  const enter = async () => answer(fleet, await challengeOf(app, device), await codeOf(fleet, app));
  await enter();
  const first = await seen();
  await enter();
  expect(await seen()).toBe(first);
  await fleet.sql.query("UPDATE known_devices SET seen_at = seen_at - interval '25 hours' WHERE user_id = $1", [
    app.id,
  ]);
  await enter();
  expect(Date.parse(await seen())).toBeGreaterThan(Date.parse(first));
});

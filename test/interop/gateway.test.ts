// The platform's gateway, as it is: gateway/client.py, with stubs generated from its own definition, goes through a
// user's life at a real bridge and fleet. Its definition is not ours: gateway/auth.proto is a copy that nothing here
// may change.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { newUser, type TestUser } from "../support/users.ts";
import { startPython } from "./child.ts";
import { pythonWithRequirements } from "./venv.ts";

const sha256 = "9cbeeec964a7e60fa7a5286c40d58173fa5a5aa556604597fc486fd22919db02";

test("the gateway's definition is the gateway's, byte for byte", () => {
  const definition = readFileSync(join(import.meta.dirname, "gateway", "auth.proto"));
  expect(createHash("sha256").update(definition).digest("hex")).toBe(sha256);
});

interface Answer {
  status: string;
  reply: Record<string, unknown>;
  /** Fields that the gateway's stubs do not know. */
  unknown: number;
  /** Trailing metadata `auth-error`. */
  code: string | null;
  details: string;
}

interface Session {
  access_token: string;
  cookie: Record<string, unknown>;
}

let fleet: TestFleet;
let ask: (order: object) => Promise<Answer>;
let end: () => Promise<void>;
beforeAll(async () => {
  fleet = await testFleet();
  const python = await pythonWithRequirements();
  const args = [fleet.grpc, "{folder}"];
  const { child } = startPython({ python, script: join("gateway", "client.py"), args, name: fleet.name });
  const complaints = text(child.stderr);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  ask = async (order) => {
    child.stdin.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`client.py ended: ${await complaints}`);
    return JSON.parse(value) as Answer;
  };
  end = async () => {
    child.stdin.end();
    const [code] = await once(child, "close");
    if (code !== 0) throw new Error(`client.py ended with ${code}: ${await complaints}`);
  };
}, 300_000);
afterAll(async () => {
  await end();
  await fleet.close();
});

const call = (method: string, request: object, metadata: Record<string, string> = {}) =>
  ask({ method, request, metadata: Object.entries(metadata) });

async function ok(method: string, request: object): Promise<Record<string, unknown>> {
  const { status, details, reply, unknown } = await call(method, request);
  expect({ status, details, unknown }).toEqual({ status: "OK", details: undefined, unknown: 0 });
  return reply;
}
const session = async (method: string, request: object): Promise<Session> =>
  (await ok(method, request)) as unknown as Session;
const refused = (code: string) => ({ status: "INVALID_ARGUMENT", code });

/** The platform bans, and lifts a ban, by the same record; it is done when the audit has so many. */
async function toggleBan(id: number, times: number): Promise<void> {
  const value = Buffer.from(JSON.stringify({ id }));
  await fleet.kafka.produce([{ topic: "admin_ban_user", key: null, value, headers: {} }]);
  const toggles = () =>
    fleet.sql.query("SELECT FROM outbox WHERE user_id = $1 AND kind IN ('UserBanned', 'UserUnbanned')", [id]);
  await until("the ban was toggled", async () => (await toggles()).rowCount === times);
}

describe("a user of the platform", () => {
  const account: TestUser = newUser("gw");
  const { login, password, username, email } = account;
  const credentials = { login, password };
  const currentUser = (accessToken: string) => ok("CurrentUser", { access_token: accessToken });
  let id: number;
  let first: Session;

  test("registers, which succeeds, and cannot log in before the confirmation", async () => {
    expect(await ok("CreateUser", { login, password, username, email })).toEqual({ success: true });
    expect(await call("CreateUser", { login, password, username, email })).toMatchObject(refused("LOGIN_TAKEN"));
    expect(await call("Authenticate", credentials)).toMatchObject(refused("NOT_CONFIRMED"));
  });

  test("confirms once, with the cookie that it expects", async () => {
    const token_pod = await fleet.confirmationToken(username);
    first = await session("RegistrationUser", { token_pod });
    expect(first.cookie).toEqual({
      key: "refresh_token",
      value: expect.stringMatching(/^.{80}$/),
      httponly: true,
      secure: true,
      samesite: "none",
      max_age: 604_800,
    });
    expect(await call("RegistrationUser", { token_pod })).toMatchObject(refused("TOKEN_INVALID"));
  });

  test("logs in, and is seen as active and verified", async () => {
    const { access_token: accessToken } = await session("Authenticate", credentials);
    const user = await currentUser(accessToken);
    expect(user).toEqual({ id: expect.any(Number), login, is_active: true, is_verified: true, role: "user" });
    id = Number(user["id"]);
    expect(await call("Authenticate", { login, password: "another password" })).toMatchObject(
      refused("INVALID_CREDENTIALS"),
    );
  });

  test("is shown the device that the gateway named, and gets the first answer again for the same idempotency key", async () => {
    const device = { ip: "203.0.113.7", userAgent: "Mozilla/5.0 (X11), like Gecko", device: "phone 7" };
    const metadata = {
      "auth-client-ip": `${device.ip}:5678`,
      "auth-client-user-agent": device.userAgent,
      "auth-client-device": device.device,
      "auth-idempotency-key": randomBytes(16).toString("hex"),
    };
    const answers = [
      await call("Authenticate", credentials, metadata),
      await call("Authenticate", credentials, metadata),
    ];
    const [accessToken, again] = answers.map(({ reply }) => reply["access_token"] as string);
    expect(again).toBe(accessToken);
    const { sessions } = await fleet.client.request("auth.session.list", { accessToken: accessToken! });
    expect(sessions.map(({ client }) => client).filter((client) => client !== null)).toEqual([device]);
    const noAddress = { ...metadata, "auth-client-ip": "the moon" };
    expect(await call("Authenticate", credentials, noAddress)).toMatchObject(refused("INVALID_INPUT"));
  });

  test("has the role that was given, and loses it again", async () => {
    const actorToken = await operatorToken(fleet);
    const role = async (roles: string[]): Promise<unknown> => {
      await fleet.client.request("auth.admin.set-roles", { actorToken, target: login, roles, reason: "a test" });
      const { access_token: accessToken } = await session("Authenticate", credentials);
      return (await currentUser(accessToken))["role"];
    };
    const made = [await role(["admin"]), await role([])];
    expect(made).toEqual(["admin", "user"]);
  });

  test("refreshes as often as they like with one refresh token", async () => {
    const { cookie } = await session("Authenticate", credentials);
    const refresh = { refresh_token: cookie["value"] };
    const tokens = [await ok("RefreshToken", refresh), await ok("RefreshToken", refresh)];
    expect(new Set(tokens.map((each) => each["access_token"])).size).toBe(2);
    for (const { access_token: token } of tokens) expect(await currentUser(String(token))).toMatchObject({ id, login });
    expect(await call("RefreshToken", { refresh_token: "garbage" })).toMatchObject(refused("TOKEN_INVALID"));
  });

  test("is kept out by a ban, and is active again when the second record lifts it", async () => {
    const before = await session("Authenticate", credentials);
    await toggleBan(id, 1);
    expect(await call("Authenticate", credentials)).toMatchObject(refused("BANNED"));
    expect(await call("RefreshToken", { refresh_token: before.cookie["value"] })).toMatchObject(
      refused("SESSION_REVOKED"),
    );
    await toggleBan(id, 2);
    const { access_token: accessToken } = await session("Authenticate", credentials);
    expect(await currentUser(accessToken)).toMatchObject({ id, is_active: true, is_verified: true });
  });

  test("logs out, twice if they like, and only there", async () => {
    const [here, there] = [await session("Authenticate", credentials), await session("Authenticate", credentials)];
    expect(await ok("LogOutUser", { token_pod: here.access_token })).toEqual({});
    expect(await call("CurrentUser", { access_token: here.access_token })).toMatchObject(refused("SESSION_REVOKED"));
    expect(await ok("LogOutUser", { token_pod: here.access_token })).toEqual({});
    expect(await call("LogOutUser", { token_pod: "garbage" })).toMatchObject(refused("TOKEN_INVALID"));
    expect(await currentUser(there.access_token)).toMatchObject({ is_active: true });
  });
});

test("control: of texts where it expects booleans the gateway would see false", async () => {
  const text = (field: number, value: string) => [(field << 3) | 2, value.length, ...Buffer.from(value)];
  const bytes = Buffer.from([8, 7, ...text(3, "true"), ...text(4, "true")]);
  const { reply, unknown } = await ask({ parse: "CurrentUserResponse", hex: bytes.toString("hex") });
  expect(reply).toMatchObject({ id: 7, is_active: false, is_verified: false });
  expect(unknown).toBe(2);
});

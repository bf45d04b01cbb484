// The gateway's six calls through the real fleet: bridge, Kafka, workers, PostgreSQL and back. Each method with its
// answer and each of its refusals, as status and `auth-error`. Every test has its own account; username is login, for
// the mailer's topic names only that.
import { randomBytes } from "node:crypto";
import { testFleet } from "../support/test-fleet.ts";
import { type Answer, connectGateway, type Gateway } from "./gateway.ts";

const password = "correct horse battery";

let fleet: Awaited<ReturnType<typeof testFleet>>;
let gateway: Gateway;
beforeAll(async () => {
  fleet = await testFleet();
  gateway = await connectGateway(fleet.grpc);
}, 120_000);
afterAll(async () => {
  gateway.close();
  await fleet.close();
}, 60_000);

interface Session {
  access_token: string;
  cookie: { value: string; max_age: number };
}

const ok = (answer: Answer) => {
  expect(answer).toMatchObject({ status: "OK", details: "" });
  return answer.reply;
};
const refused = (code: string) => ({ status: "INVALID_ARGUMENT", code });

function newAccount() {
  const login = `ada${randomBytes(6).toString("hex")}`;
  return { login, username: login, email: `${login}@example.org`, password };
}

async function registered() {
  const account = newAccount();
  ok(await gateway.call("CreateUser", account));
  return { ...account, token: await fleet.confirmationToken(account.login) };
}

async function confirmed() {
  const account = await registered();
  return { ...account, ...(ok(await gateway.call("RegistrationUser", { token_pod: account.token })) as Session) };
}

const authenticate = (login: string, given = password) => gateway.call("Authenticate", { login, password: given });
const currentUser = (access_token: string) => gateway.call("CurrentUser", { access_token });
const refresh = (refresh_token: string) => gateway.call("RefreshToken", { refresh_token });
const logOut = (token_pod: string) => gateway.call("LogOutUser", { token_pod });
const confirm = (token_pod: string) => gateway.call("RegistrationUser", { token_pod });

describe("CreateUser", () => {
  test("makes an account that cannot log in before it is confirmed", async () => {
    const account = newAccount();
    expect(ok(await gateway.call("CreateUser", account))).toEqual({ success: true });
    expect(await authenticate(account.login)).toMatchObject(refused("NOT_CONFIRMED"));
    expect(await authenticate(account.login, "another password")).toMatchObject(refused("INVALID_CREDENTIALS"));
  });

  test("refuses a login that is taken, in any case", async () => {
    const first = await registered();
    ok(await confirm(first.token));
    const second = { ...newAccount(), login: first.login.toUpperCase() };
    expect(await gateway.call("CreateUser", { ...newAccount(), login: first.login })).toMatchObject(
      refused("LOGIN_TAKEN"),
    );
    expect(await gateway.call("CreateUser", second)).toMatchObject(refused("LOGIN_TAKEN"));
  });

  test("refuses an e-mail address that differs from a taken one in case alone", async () => {
    const first = await registered();
    ok(await confirm(first.token));
    const second = { ...newAccount(), email: first.email.replace("ada", "ADA") };
    expect(await gateway.call("CreateUser", second)).toMatchObject(refused("EMAIL_TAKEN"));
  });

  test.each([
    ["nothing at all", { login: "", username: "", email: "", password: "" }, "INVALID_INPUT"],
    ["no login", { login: "" }, "INVALID_INPUT"],
    ["no username", { username: "" }, "INVALID_INPUT"],
    ["no e-mail address", { email: "" }, "INVALID_INPUT"],
    ["no password", { password: "" }, "WEAK_PASSWORD"],
    ["a login of 3 characters", { login: "ada" }, "INVALID_INPUT"],
    ["a login of 33 characters", { login: "a".repeat(33) }, "INVALID_INPUT"],
    ["a username of 33 characters", { username: "a".repeat(33) }, "INVALID_INPUT"],
    ["what is no e-mail address", { email: "ada" }, "INVALID_INPUT"],
    ["an over-long e-mail address", { email: `${"a".repeat(300)}@example.org` }, "INVALID_INPUT"],
    ["a password of 7 characters", { password: "1234567" }, "WEAK_PASSWORD"],
    ["a password of 1,025 bytes", { password: "a".repeat(1025) }, "INVALID_INPUT"],
  ])("refuses %s", async (_, fields, code) => {
    expect(await gateway.call("CreateUser", { ...newAccount(), ...fields })).toMatchObject(refused(code));
  });

  test("takes what is just as long as it may be", async () => {
    const login = newAccount().login.padEnd(32, "x");
    const account = { ...newAccount(), login, username: login, password: "a".repeat(1024) };
    expect(ok(await gateway.call("CreateUser", account))).toEqual({ success: true });
  });
});

describe("RegistrationUser", () => {
  test("confirms once, and opens a session with the cookie that the gateway expects", async () => {
    const { login, token } = await registered();
    const session = ok(await confirm(token)) as Session;
    expect(session).toEqual({
      access_token: expect.stringMatching(/^[^.]+\.[^.]+\.[^.]+$/),
      cookie: {
        key: "refresh_token",
        value: expect.stringMatching(/^.{80}$/),
        httponly: true,
        secure: true,
        samesite: "none",
        max_age: 604800,
      },
    });
    expect(ok(await currentUser(session.access_token))).toMatchObject({ login });
    expect(await confirm(token)).toMatchObject(refused("TOKEN_INVALID"));
  });

  test("goes without a proof of who registered, which is told: by the event, a metric, and /readyz", async () => {
    const { login, token } = await registered();
    ok(await confirm(token));
    const { rows } = await fleet.sql.query(
      "SELECT o.body->>'proof' AS proof FROM outbox o JOIN users u ON u.id = o.user_id WHERE u.login = $1 AND o.kind = 'UserConfirmed'",
      [login],
    );
    expect(rows).toEqual([{ proof: "none" }]);
    const worker = fleet.http["worker-1"]!;
    expect(await (await fetch(`${worker}/metrics`)).text()).toMatch(
      /^auth_accounts_confirmed_total\{.*proof="none".*\} [1-9]/m,
    );
    const { ready, relaxed } = (await (await fetch(`${worker}/readyz`)).json()) as {
      ready: boolean;
      relaxed: string[];
    };
    expect(ready).toBe(true);
    expect(relaxed).toContain("AUTH_CONFIRM_WITHOUT_PROOF=auth.reply.bridge");
  });

  test("refuses what is no confirmation token, and the true one still works afterwards", async () => {
    const { token } = await registered();
    const { access_token, cookie } = await confirmed();
    const forged = `${token.split(".")[0]}.${randomBytes(32).toString("base64url")}`;
    for (const wrong of ["garbage", forged, access_token, cookie.value, "a".repeat(1024)]) {
      expect(await confirm(wrong)).toMatchObject(refused("TOKEN_INVALID"));
    }
    for (const wrong of ["", "a".repeat(1025)]) expect(await confirm(wrong)).toMatchObject(refused("INVALID_INPUT"));
    ok(await confirm(token));
  });
});

describe("Authenticate", () => {
  test("takes the e-mail address of a confirmed account in place of its login", async () => {
    const { login, email } = await confirmed();
    const session = ok(await authenticate(email.toUpperCase())) as Session;
    expect(ok(await currentUser(session.access_token))).toMatchObject({ login });
    const waiting = await registered();
    expect(await authenticate(waiting.email)).toMatchObject(refused("INVALID_CREDENTIALS"));
    expect(await authenticate(waiting.login)).toMatchObject(refused("NOT_CONFIRMED")); // the control
  });

  test("opens a session; a second one does not end the first", async () => {
    const { login, access_token } = await confirmed();
    const first = ok(await authenticate(login)) as Session;
    const second = ok(await authenticate(login.toUpperCase())) as Session;
    expect(first.cookie).toMatchObject({ key: "refresh_token", max_age: 604800 });
    expect(second.cookie.value).not.toBe(first.cookie.value);
    for (const token of [access_token, first.access_token, second.access_token]) ok(await currentUser(token));
    ok(await refresh(first.cookie.value));
  });

  test("refuses a wrong password and an unknown login with the same words", async () => {
    const { login } = await confirmed();
    const wrong = await authenticate(login, "another password");
    const unknown = await authenticate(newAccount().login);
    expect(wrong).toMatchObject(refused("INVALID_CREDENTIALS"));
    expect(unknown).toEqual(wrong);
    ok(await authenticate(login));
  });

  test.each([
    ["no login", "", password],
    ["no password", "ada.l", ""],
    ["an over-long login", "a".repeat(33), password],
    ["an over-long password", "ada.l", "a".repeat(1025)],
  ])("refuses %s as INVALID_INPUT", async (_, login, given) => {
    expect(await authenticate(login, given)).toMatchObject(refused("INVALID_INPUT"));
  });
});

describe("CurrentUser", () => {
  test("tells whose token it is", async () => {
    const { login, access_token } = await confirmed();
    const id: unknown = expect.any(Number);
    expect(ok(await currentUser(access_token))).toEqual({
      id,
      login,
      is_active: true,
      is_verified: true,
      role: "user",
    });
  });

  test("refuses what is no access token", async () => {
    const { token } = await registered();
    const { access_token, cookie } = await confirmed();
    const [head, body, signature = ""] = access_token.split(".");
    const otherSignature = [head, body, Buffer.from(signature, "base64url").reverse().toString("base64url")].join(".");
    for (const wrong of ["garbage", "a.b.c", otherSignature, token, cookie.value, "a".repeat(8192)]) {
      expect(await currentUser(wrong)).toMatchObject(refused("TOKEN_INVALID"));
    }
    for (const none of ["", "a".repeat(8193)]) expect(await currentUser(none)).toMatchObject(refused("INVALID_INPUT"));
    ok(await currentUser(access_token));
  });
});

describe("RefreshToken", () => {
  test("gives a new access token as often as it is asked, and the cookie stays good", async () => {
    const { login, cookie } = await confirmed();
    const [first, second] = [ok(await refresh(cookie.value)), ok(await refresh(cookie.value))] as Session[];
    expect(first!.access_token).not.toBe(second!.access_token);
    for (const session of [first!, second!]) {
      expect(ok(await currentUser(session.access_token))).toMatchObject({ login });
    }
  });

  test("refuses what is no refresh token, and the session goes on", async () => {
    const { token } = await registered();
    const { access_token, cookie } = await confirmed();
    const forged = `${cookie.value.split(".")[0]}.${randomBytes(32).toString("base64url")}`;
    for (const wrong of ["garbage", forged, access_token, token, "a".repeat(1024)]) {
      expect(await refresh(wrong)).toMatchObject(refused("TOKEN_INVALID"));
    }
    for (const wrong of ["", "a".repeat(1025)]) expect(await refresh(wrong)).toMatchObject(refused("INVALID_INPUT"));
    ok(await refresh(cookie.value));
  });
});

describe("LogOutUser", () => {
  test("ends its session at once, for its access token and its refresh token, and no other session", async () => {
    const { login, access_token, cookie } = await confirmed();
    const other = ok(await authenticate(login)) as Session;
    expect(ok(await logOut(access_token))).toEqual({});
    expect(await currentUser(access_token)).toMatchObject(refused("SESSION_REVOKED"));
    expect(await refresh(cookie.value)).toMatchObject(refused("SESSION_REVOKED"));
    expect(ok(await logOut(access_token))).toEqual({}); // a second time is no fault of the user's
    ok(await currentUser(other.access_token));
    ok(await refresh(other.cookie.value));
  });

  test("refuses what is no access token", async () => {
    const { cookie } = await confirmed();
    expect(await logOut("garbage")).toMatchObject(refused("TOKEN_INVALID"));
    expect(await logOut(cookie.value)).toMatchObject(refused("TOKEN_INVALID"));
    expect(await logOut("")).toMatchObject(refused("INVALID_INPUT"));
  });
});

describe("every method", () => {
  test("whose time is over before the fleet can answer is DEADLINE_EXCEEDED", async () => {
    const answer = await gateway.call("LogOutUser", { token_pod: "garbage" }, { deadlineMs: 1 });
    expect(answer.status).toBe("DEADLINE_EXCEEDED");
  });

  test("asked again with the same idempotency key gives the same answer; with another request it is a conflict", async () => {
    const account = newAccount();
    const metadata = { "auth-idempotency-key": randomBytes(16).toString("hex") };
    ok(await gateway.call("CreateUser", account, { metadata }));
    expect(ok(await gateway.call("CreateUser", account, { metadata }))).toEqual({ success: true });
    expect(await gateway.call("CreateUser", account)).toMatchObject(refused("LOGIN_TAKEN"));
    const another = await gateway.call("CreateUser", { ...account, username: "another" }, { metadata });
    expect(another).toMatchObject(refused("IDEMPOTENCY_CONFLICT"));
  });
});

// What is made beside an ending: the columns of the matrix. Each command that opens a session, renews its tokens, or
// makes a link, a challenge or a factor; `prepare` leads up to the one call that is held at the user's row.
import { randomBytes } from "node:crypto";
import { sql } from "slonik";
import { hashRecoveryCode } from "../../src/crypto/recovery-codes.ts";
import { account } from "../support/handlers.ts";
import {
  begunRegistration,
  type Product,
  type Scenario,
  type Session,
  sessionProduct,
  shownNow,
  storedProduct,
  usedProduct,
  withApp,
  withLostPasskey,
  withRecoveryCode,
} from "./scenario.ts";

export interface Column {
  name: string;
  topic: string;
  /** Of which accounts it can be asked. */
  confirmed: boolean;
  /** Whether it is asked for in session `b`. */
  inSession?: true;
  /** What of the user it goes by. */
  shows?: "password" | "challenge" | "passkey" | "address";
  /**
   * It raises the user's generation itself: an ending in another session, or by a link, that comes after it is refused.
   */
  outdates?: true;
  prepare(scenario: Scenario): Promise<() => Promise<Product[]>>;
}

/** From a network that nobody else has. */
export const client = () => ({ ip: `10.${[...randomBytes(3)].join(".")}`, userAgent: null, device: null });
const newPassword = () => `another ${randomBytes(8).toString("hex")}`;

/** Runs what mails a link, and tells it from links of before. */
async function mailing({ harness, id }: Scenario, mail: () => Promise<unknown>): Promise<string[]> {
  const before = await harness.mailedTokens({ userId: id });
  await mail();
  return (await harness.mailedTokens({ userId: id })).filter((token) => !before.includes(token));
}

export const columns: Column[] = [
  {
    name: "login",
    topic: "auth.session.login",
    confirmed: true,
    shows: "password",
    prepare: async (scenario) => () => loggedIn(scenario, undefined),
  },
  {
    name: "login's challenge",
    topic: "auth.session.login",
    confirmed: true,
    shows: "password",
    async prepare(scenario) {
      await withLostPasskey(scenario);
      const code = await withRecoveryCode(scenario);
      return () => loggedIn(scenario, code);
    },
  },
  {
    name: "login-mfa",
    topic: "auth.session.login-mfa",
    confirmed: true,
    shows: "challenge",
    async prepare(scenario) {
      const { harness, login, password } = scenario;
      await withLostPasskey(scenario);
      const code = await withRecoveryCode(scenario);
      const { challenge } = await harness.ask("auth.session.login", { login, password, client: client() });
      return async () => {
        const answer = { challenge: challenge!.challenge, method: "recovery", code };
        return [sessionProduct(scenario, await harness.ask("auth.session.login-mfa", answer))];
      };
    },
  },
  {
    name: "passkey login",
    topic: "auth.passkey.finish-login",
    confirmed: true,
    shows: "passkey",
    async prepare(scenario) {
      const { harness, login } = scenario;
      const { device, answer } = await begunRegistration(scenario, scenario.b);
      await harness.ask("auth.passkey.finish-registration", { ...answer, endOthers: false });
      await renewed(scenario);
      const { options, challenge } = await harness.ask("auth.passkey.begin-login", {
        login,
        challenge: "",
        client: client(),
      });
      const response = device.get(options);
      return async () => [
        sessionProduct(scenario, await harness.ask("auth.passkey.finish-login", { challenge, response })),
      ];
    },
  },
  {
    name: "refresh",
    topic: "auth.session.refresh",
    confirmed: true,
    inSession: true,
    async prepare(scenario) {
      return async () => {
        const { refreshToken } = scenario.b; // as it is by then
        return [
          sessionProduct(scenario, await scenario.harness.ask("auth.session.refresh", { refreshToken }), "own session"),
        ];
      };
    },
  },
  {
    name: "forgot",
    topic: "auth.password.forgot",
    confirmed: true,
    shows: "address",
    async prepare(scenario) {
      const { harness, email } = scenario;
      return async () =>
        (await mailing(scenario, () => harness.ask("auth.password.forgot", { email }))).map((token) =>
          usedProduct("reset link", () => harness.ask("auth.password.reset", { token, newPassword: newPassword() })),
        );
    },
  },
  {
    name: "change-email",
    topic: "auth.account.change-email",
    confirmed: true,
    inSession: true,
    async prepare(scenario) {
      const { harness, login, password } = scenario;
      const { accessToken } = scenario.b;
      const ask = () =>
        harness.ask("auth.account.change-email", { accessToken, password, newEmail: `other.${login}@example.com` });
      return async () =>
        (await mailing(scenario, ask)).map((token) =>
          usedProduct("address link", () => harness.ask("auth.account.confirm-email", { token })),
        );
    },
  },
  {
    name: "enroll",
    topic: "auth.mfa.enroll",
    confirmed: true,
    inSession: true,
    async prepare(scenario) {
      const { accessToken } = scenario.b;
      return async () => {
        await scenario.harness.ask("auth.mfa.enroll", { accessToken });
        return [storedProduct(scenario, "enrolled app", sql.fragment`totp_factors WHERE user_id = ${scenario.id}`)];
      };
    },
  },
  {
    name: "activate",
    topic: "auth.mfa.activate",
    confirmed: true,
    inSession: true,
    outdates: true,
    async prepare(scenario) {
      const secret = await withApp(scenario, { active: false });
      const { accessToken } = scenario.b;
      return async () => {
        const code = shownNow(secret);
        const { codes } = await scenario.harness.ask("auth.mfa.activate", { accessToken, code, endOthers: false });
        const active = sql.fragment`totp_factors WHERE user_id = ${scenario.id} AND activated_at IS NOT NULL`;
        return [storedProduct(scenario, "app", active), codesProduct(scenario, codes)];
      };
    },
  },
  {
    name: "recovery codes",
    topic: "auth.mfa.recovery-codes",
    confirmed: true,
    inSession: true,
    async prepare(scenario) {
      await withLostPasskey(scenario);
      const { accessToken } = scenario.b;
      return async () => {
        const { codes } = await scenario.harness.ask("auth.mfa.recovery-codes", { accessToken });
        return [codesProduct(scenario, codes)];
      };
    },
  },
  {
    name: "begin a passkey",
    topic: "auth.passkey.begin-registration",
    confirmed: true,
    inSession: true,
    async prepare(scenario) {
      return async () => {
        const { answer } = await begunRegistration(scenario, scenario.b);
        return [usedProduct("registration", () => finish(scenario, answer))];
      };
    },
  },
  {
    name: "finish a passkey",
    topic: "auth.passkey.finish-registration",
    confirmed: true,
    inSession: true,
    outdates: true,
    async prepare(scenario) {
      const { answer } = await begunRegistration(scenario, scenario.b);
      return async () => {
        const request = { ...answer, endOthers: false };
        const { passkeyId } = await scenario.harness.ask("auth.passkey.finish-registration", request);
        return [storedProduct(scenario, "passkey", sql.fragment`passkeys WHERE id = ${passkeyId}::uuid`)];
      };
    },
  },
  {
    name: "confirm",
    topic: "auth.account.confirm",
    confirmed: false,
    async prepare(scenario) {
      const { harness, id, password } = scenario;
      const [token] = await harness.mailedTokens({ userId: id });
      const request = { token: token!, registrationSecret: "", password };
      return async () => [sessionProduct(scenario, await harness.ask("auth.account.confirm", request))];
    },
  },
  {
    name: "resend",
    topic: "auth.account.resend",
    confirmed: false,
    async prepare(scenario) {
      const { harness, email, password } = scenario;
      const confirm = (token: string) =>
        harness.ask("auth.account.confirm", { token, registrationSecret: "", password });
      return async () =>
        (await mailing(scenario, () => harness.ask("auth.account.resend", { email }))).map((token) =>
          usedProduct("confirmation link", () => confirm(token)),
        );
    },
  },
  {
    name: "resend, of two",
    topic: "auth.account.resend",
    confirmed: false,
    async prepare(scenario) {
      const { harness, email, password } = scenario;
      const { id } = await account(harness); // the newer one, so the commit begins with its row
      await harness.pool.query(sql.unsafe`
        UPDATE users SET confirmed_at = NULL, email = ${email}, email_key = ${email} WHERE id = ${id}`);
      const confirm = (token: string) =>
        harness.ask("auth.account.confirm", { token, registrationSecret: "", password });
      return async () =>
        (await mailing(scenario, () => harness.ask("auth.account.resend", { email }))).map((token) =>
          usedProduct("confirmation link", () => confirm(token)),
        );
    },
  },
];

/**
 * A session, or a challenge: which of them depends on what was set up or taken away meanwhile.
 * @param code answers the challenge
 */
async function loggedIn(scenario: Scenario, code: string | undefined): Promise<Product[]> {
  const { harness, id, login, password } = scenario;
  const { tokens, challenge } = await harness.ask("auth.session.login", { login, password, client: client() });
  if (tokens !== null) {
    const device = storedProduct(scenario, "device", sql.fragment`known_devices WHERE user_id = ${id}`);
    return [sessionProduct(scenario, tokens), device];
  }
  if (code !== undefined) {
    const answer = { challenge: challenge!.challenge, method: "recovery", code };
    return [
      { kind: "challenge", counts: async () => judgedAnswer(await harness.outcome("auth.session.login-mfa", answer)) },
    ];
  }
  const open = sql.fragment`challenges c JOIN users u ON u.id = c.user_id AND u.generation = c.generation
    WHERE u.id = ${id} AND c.used_at IS NULL AND c.expires_at > now()`;
  return [storedProduct(scenario, "challenge", open)];
}

/** A wrong code is told from a challenge that counts no more. */
const judgedAnswer = (outcome: string): string[] => (outcome.startsWith("TOKEN_") ? [] : [`judged ${outcome}`]);

/** Commands that make something, and why no ending can meet them at a row. */
export const beside: Record<string, string> = {
  "auth.account.register": "makes its own user: until it has committed no ending can be about them",
  "auth.passkey.begin-login":
    "a challenge for which nothing was shown yet: its answer is judged by what the user has and may do when it comes (passkey login)",
};

/** Whether they were given by a registration in the same session, whose access token may have to be renewed. */
async function finish({ harness, b }: Scenario, answer: { challenge: string; response: string }): Promise<unknown> {
  const { accessToken } = await harness.ask("auth.session.refresh", { refreshToken: b.refreshToken });
  return harness.ask("auth.passkey.finish-registration", { ...answer, accessToken });
}

function codesProduct(scenario: Scenario, [code]: readonly string[]): Product {
  const hash = sql.binary(hashRecoveryCode(code!)!);
  return storedProduct(
    scenario,
    "codes",
    sql.fragment`recovery_codes WHERE user_id = ${scenario.id} AND hash = ${hash}`,
  );
}

/** Both sessions' tokens, after a change that has outdated them. */
async function renewed(scenario: Scenario): Promise<void> {
  const renew = ({ refreshToken }: Session) => scenario.harness.ask("auth.session.refresh", { refreshToken });
  [scenario.a, scenario.b] = [await renew(scenario.a), await renew(scenario.b)];
}

// Changing the language that one is written to in, through Kafka: what it does to the next mail, and every refusal.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mailTo } from "../support/mails.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { type Confirmed, confirmed, newUser, refusalOf, refused } from "../support/users.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

const change = ({ tokens }: Pick<Confirmed, "tokens">, locale: string | null, idempotencyKey?: string) =>
  fleet.client.request(
    "auth.account.change-locale",
    { accessToken: tokens.accessToken, locale },
    { ...(idempotencyKey && { idempotencyKey }) },
  );

/** Asks for a mail. */
async function localeOfMail({ email }: Confirmed, wanted: number): Promise<string> {
  await fleet.client.request("auth.password.forgot", { email });
  return (await mailTo(fleet, email, "reset", wanted)).locale;
}

describe("auth.account.change-locale", () => {
  test("from then on mails are in that language; null is the fleet's again", async () => {
    const user = await confirmed(fleet);
    expect(await localeOfMail(user, 1)).toBe("en"); // the control
    expect(await change(user, "pt-br")).toEqual({ locale: "pt-BR" });
    expect(await localeOfMail(user, 2)).toBe("pt-BR");
    expect(await change(user, null)).toEqual({ locale: null });
    expect(await localeOfMail(user, 3)).toBe("en");
  });

  test("changes nobody else's, makes no event, and leaves every session and token as it is", async () => {
    const [user, other] = [await confirmed(fleet), await confirmed(fleet, { ...newUser(), locale: "ru" })];
    const row = async ({ id }: Confirmed) =>
      (await fleet.sql.query("SELECT sequence, generation, locale FROM users WHERE id = $1", [id])).rows[0]!;
    const before = await row(user);
    await change(user, "de");
    expect(await row(user)).toEqual({ ...before, locale: "de" });
    expect(await row(other)).toMatchObject({ locale: "ru" });
    const { accessToken } = user.tokens;
    expect(await fleet.client.request("auth.session.inspect", { accessToken })).toMatchObject({ userId: user.id });
  });

  test("asked again with its key, it is answered again and does not undo what came between", async () => {
    const user = await confirmed(fleet);
    const key = `locale-of-${user.login}-once`;
    await change(user, "de", key);
    await change(user, "fr");
    expect(await change(user, "de", key)).toEqual({ locale: "de" });
    const { rows } = await fleet.sql.query("SELECT locale FROM users WHERE id = $1", [user.id]);
    expect(rows).toEqual([{ locale: "fr" }]);
    expect(await refusalOf(change(user, "ru", key))).toBe("IDEMPOTENCY_CONFLICT");
  });

  test.each(["", "German!", "pt_BR", "x".repeat(36)])("refuses what is no language tag: %j", async (locale) => {
    const user = await confirmed(fleet);
    const { code, details } = await refused(change(user, locale));
    expect([code, details["field"]]).toEqual(["INVALID_INPUT", "locale"]);
  });

  test("refuses who holds no token of a session that goes on", async () => {
    const user = await confirmed(fleet);
    const withToken = (accessToken: string) => change({ tokens: { ...user.tokens, accessToken } }, "de");
    expect(await refusalOf(withToken(""))).toBe("INVALID_INPUT");
    expect(await refusalOf(withToken("garbage"))).toBe("TOKEN_INVALID");
    await fleet.client.request("auth.session.logout", { accessToken: user.tokens.accessToken });
    expect(await refusalOf(change(user, "de"))).toBe("SESSION_REVOKED");
  });
});

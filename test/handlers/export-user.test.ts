// The copy of everything that is held about a user, taken by an operator or an administrator, through Kafka.
// What the owner's own copy has in it is tested in erase.test.ts; here, that this is the same one, and who gets it.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { type Audited, auditOf } from "../support/audited.ts";
import { withApp } from "../support/factors.ts";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { type Confirmed, confirmed, holderOf, loggedIn, newUser, refusalOf, refused } from "../support/users.ts";

let fleet: TestFleet;
let operator: string;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
beforeEach(async () => {
  operator = await operatorToken(fleet, "ophelia"); // it is good for a minute
});
afterAll(() => fleet.close());

const reason = "letter of the first of May";
interface How {
  actorToken?: string;
  reason?: string;
  idempotencyKey?: string;
}
const exportOf = (target: string, { actorToken = operator, reason: why = reason, idempotencyKey }: How = {}) =>
  fleet.client.request(
    "auth.admin.export-user",
    { actorToken, target, reason: why },
    idempotencyKey === undefined ? {} : { idempotencyKey },
  );
const ownCopy = (accessToken: string) => fleet.client.request("auth.account.export", { accessToken });

interface Copy extends Record<string, unknown> {
  history: Record<string, unknown>[];
}
/** Without what says when it was made. */
function partsOf({ document }: { document: string }): Copy {
  const { exportedAt, ...parts } = JSON.parse(document) as Copy;
  expect(Date.parse(String(exportedAt))).toBeGreaterThan(0);
  return parts as Copy;
}

const copiesOf = async ({ id }: Confirmed): Promise<Audited[]> =>
  (await auditOf(fleet, id)).filter(({ event }) => event === "DataExported");
/** As if the last copy had been taken long ago. */
const later = ({ id }: Confirmed) => fleet.sql.query("UPDATE users SET exported_at = NULL WHERE id = $1", [id]);

describe("auth.admin.export-user", () => {
  test("gives what the user is given, by login and by id, and no secret", async () => {
    const user = await withApp(fleet);
    await auditOf(fleet, user.id); // from here on the history has all of it
    const answer = await exportOf(user.login.toUpperCase());
    expect(answer.userId).toBe(user.id);
    const copy = partsOf(answer);
    expect(copy).toMatchObject({ account: { id: user.id, email: user.email }, leftOut: {} });
    expect(copy["authenticatorApp"]).toHaveLength(1);
    expect(copy.history.map(({ event }) => event)).toContain("UserRegistered");

    await copiesOf(user);
    await later(user);
    const { history, ...own } = partsOf(await ownCopy(user.session.accessToken));
    expect(history[0]).toMatchObject({ event: "DataExported", by: "operator", reason });
    expect({ ...own, history: history.slice(1) }).toEqual(copy);

    await later(user);
    const byId = await exportOf(`id:${user.id}`);
    expect(partsOf(byId)["account"]).toEqual(copy["account"]);
    const { rows } = await fleet.sql.query<{ secret: string }>(
      `SELECT hash AS secret FROM credentials WHERE user_id = $1
       UNION ALL SELECT encode(secret, 'hex') FROM totp_factors WHERE user_id = $1`,
      [user.id],
    );
    const stored = rows.map(({ secret }) => secret);
    expect(stored).toEqual([expect.stringContaining("argon2"), expect.stringMatching(/^[0-9a-f]{40,}$/)]);
    for (const { document } of [answer, byId]) {
      for (const secret of [...stored, "argon2", user.password, user.secret.toString("hex"), ...user.codes])
        expect(document).not.toContain(secret);
      expect(document).not.toContain("ophelia"); // who it was is about somebody else
    }
  });

  test("is an event and one row of the audit, with who did it and why; asked again with its key it is answered again", async () => {
    const user = await confirmed(fleet);
    const idempotencyKey = randomUUID();
    const first = await exportOf(user.login, { idempotencyKey });
    expect(await exportOf(user.login, { idempotencyKey })).toEqual(first);
    expect(await copiesOf(user)).toMatchObject([
      { userId: user.id, actor: "operator:ophelia", outcome: "ok", personal: { reason, sessionId: "" } },
    ]);
    const published = await fleet.mails.last(
      "auth.event",
      ({ key, headers }) => String(key) === String(user.id) && String(headers["ce_type"]).endsWith(".DataExported"),
    );
    expect(published.value).not.toBeNull();
  });

  test("and the user's own copy wait for each other", async () => {
    const user = await confirmed(fleet);
    await exportOf(user.login);
    const soon = await refused(exportOf(user.login, { reason: "another letter" }));
    expect([soon.code, soon.retryAfterMs! > 500_000, soon.retryAfterMs! <= 600_000]).toEqual(["THROTTLED", true, true]);
    expect(await refusalOf(ownCopy(user.tokens.accessToken))).toBe("THROTTLED");
    await later(user);
    await ownCopy(user.tokens.accessToken);
    expect(await refusalOf(exportOf(user.login))).toBe("THROTTLED");
    expect((await copiesOf(user)).map(({ actor }) => actor)).toEqual(["operator:ophelia", `user:${user.id}`]);
  });

  test("demands a reason, and refuses nobody, a decoy, and a token that does not count; no copy is taken", async () => {
    const user = await confirmed(fleet);
    for (const why of ["", " \n", "x".repeat(1001)]) {
      const refusal = await refused(exportOf(user.login, { reason: why }));
      expect([refusal.code, refusal.details]).toEqual(["INVALID_INPUT", { field: "reason" }]);
    }
    for (const target of [newUser().login, "id:999999999"]) expect(await refusalOf(exportOf(target))).toBe("NOT_FOUND");
    expect(await refusalOf(exportOf(""))).toBe("INVALID_INPUT");
    const decoy = await confirmed(fleet);
    await fleet.sql.query("UPDATE users SET decoy = true WHERE id = $1", [decoy.id]);
    const taken = await refused(exportOf(decoy.login));
    expect([taken.code, taken.details]).toEqual(["NOT_FOUND", { reason: "decoy" }]);
    expect(await refusalOf(exportOf(user.login, { actorToken: "" }))).toBe("INVALID_INPUT");
    expect(await refusalOf(exportOf(user.login, { actorToken: "garbage" }))).toBe("TOKEN_INVALID");
    const { accessToken } = await loggedIn(fleet, user);
    await fleet.client.request("auth.session.logout", { accessToken });
    expect(await refusalOf(exportOf(user.login, { actorToken: accessToken }))).toBe("SESSION_REVOKED");
    expect(await copiesOf(user)).toEqual([]);
    await exportOf(user.login); // the control: it could have been
    expect(await copiesOf(user)).toHaveLength(1);
  });

  test("takes the permission users.export, which administrators have, and is not for who may do less than the user", async () => {
    const role = `export-${newUser().login.slice(1, 9)}`;
    await fleet.client.request("auth.admin.change-role", {
      actorToken: operator,
      role,
      create: true,
      grant: ["users.read"],
      reason: "a test",
    });
    const [clerk, admin] = [await holderOf(fleet, operator, [role]), await holderOf(fleet, operator, ["admin"])];
    const user = await confirmed(fleet);
    const by = ({ accessToken: actorToken }: { accessToken: string }) => ({ actorToken });
    const lacking = await refused(exportOf(user.login, by(clerk)));
    expect([lacking.code, lacking.details]).toEqual(["FORBIDDEN", { permission: "users.export" }]);
    await fleet.client.request("auth.admin.change-role", {
      actorToken: operator,
      role,
      grant: ["users.export"],
      reason: "a test",
    });
    expect(await refusalOf(exportOf(admin.login, by(clerk)))).toBe("FORBIDDEN");
    expect(await copiesOf(admin)).toEqual([]);
    expect(await exportOf(user.login, by(clerk))).toMatchObject({ userId: user.id });
    expect(await exportOf(clerk.login, by(admin))).toMatchObject({ userId: clerk.id });
    expect(await copiesOf(user)).toMatchObject([{ actor: `user:${clerk.id}`, personal: { reason } }]);
  });
});

// Device tokens through Kafka: the client library gives and takes them, and whoever brings one has a place in a mailbox
// that others have filled. The controls are the same requests without a token, and with one that does not hold.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";
import { type Confirmed, confirmed, refused } from "./support/users.ts";

let fleet: TestFleet;
let owner: Confirmed;
beforeAll(async () => {
  fleet = await testFleet();
  owner = await confirmed(fleet);
}, 60_000);
afterAll(() => fleet.close());

const logIn = (password: string, deviceToken?: string, login = owner.login) =>
  fleet.client.request(
    "auth.session.login",
    { login, password },
    { timeoutMs: 25_000, ...(deviceToken !== undefined && { deviceToken }) },
  );

const deviceOf = (token: string): string => Buffer.from(token.split(".")[1]!, "base64url").subarray(10).toString("hex");

async function counted(holds: boolean): Promise<number> {
  const text = await (await fetch(`${fleet.http["worker-1"]}/metrics`)).text();
  const found = new RegExp(`^auth_device_tokens_total\\{holds="${holds}".*\\} (\\d+)$`, "m").exec(text);
  return Number(found?.[1] ?? 0);
}

test("the client library gives them and takes them; the worker counts which hold", async () => {
  const { deviceToken } = owner.tokens;
  expect(deviceToken).toMatch(/^d1\./);
  const [held, not] = [await counted(true), await counted(false)];
  const { tokens } = await logIn(owner.password, deviceToken);
  expect(deviceOf(tokens!.deviceToken)).toBe(deviceOf(deviceToken));
  expect(await counted(true)).toBeGreaterThan(held);
  const other = await confirmed(fleet);
  for (const token of [other.tokens.deviceToken, "garbage", `${deviceToken}x`])
    expect(deviceOf((await logIn(owner.password, token)).tokens!.deviceToken)).not.toBe(deviceOf(deviceToken));
  expect(await counted(false)).toBeGreaterThanOrEqual(not + 3);
  const refreshed = await fleet.client.request(
    "auth.session.refresh",
    { refreshToken: tokens!.refreshToken },
    { deviceToken },
  );
  expect(deviceOf(refreshed.deviceToken)).toBe(deviceOf(deviceToken));
});

describe("a mailbox that others have filled", () => {
  test("has a place for the owner's device, which is let in, and none for anybody else", async () => {
    // One batch in one order: guesses that fill the mailbox, then the owner with the token and without it.
    const flood = Array.from({ length: 80 }, () => refused(logIn("not the right password")));
    const [device, without, wrongToken] = [
      logIn(owner.password, owner.tokens.deviceToken),
      refused(logIn(owner.password)),
      refused(logIn(owner.password, `${owner.tokens.deviceToken}x`)),
    ];
    expect(await device).toMatchObject({ tokens: { userId: owner.id } });
    for (const each of [without, wrongToken]) expect(await each).toMatchObject({ code: "THROTTLED", details: {} });
    const ends = await Promise.all(flood);
    expect(
      ends.filter(({ code, details }) => code === "THROTTLED" && details["reason"] === undefined).length,
    ).toBeGreaterThanOrEqual(20);
  });
});

// Requests for the tests of second factors. A file that imports it has the shared fleet from its first test on, with an
// operator whose token is fresh in each.
import { afterAll, beforeAll, beforeEach } from "@jest/globals";
import { decodeJwt } from "jose";
import { shownNow } from "../support/factors.ts";
import { operatorToken } from "../support/operator.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";

export let fleet: TestFleet;
export let operator: string;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
beforeEach(async () => {
  operator = await operatorToken(fleet); // it is good for a minute
});
afterAll(() => fleet.close());

export const refresh = (refreshToken: string) => fleet.client.request("auth.session.refresh", { refreshToken });
export const inspect = (accessToken: string) => fleet.client.request("auth.session.inspect", { accessToken });
export const enroll = (accessToken: string) => fleet.client.request("auth.mfa.enroll", { accessToken });
export const activate = (accessToken: string, code: string, endOthers = true) =>
  fleet.client.request("auth.mfa.activate", { accessToken, code, endOthers });
export const disable = (accessToken: string) => fleet.client.request("auth.mfa.disable", { accessToken });
export const newCodes = (accessToken: string) => fleet.client.request("auth.mfa.recovery-codes", { accessToken });
export const factors = (accessToken: string) => fleet.client.request("auth.passkey.list", { accessToken });
export const amrOf = ({ accessToken }: { accessToken: string }) => decodeJwt(accessToken)["amr"];
export const wrong = "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ";

/** Codes that are not shown within minutes of now. */
export function wrongCodes(secret: Buffer, count: number): string[] {
  const near = shownNow(secret);
  return Array.from({ length: count }, (_, at) =>
    String((Number(near) + 111_111 * (at + 1)) % 1_000_000).padStart(6, "0"),
  );
}

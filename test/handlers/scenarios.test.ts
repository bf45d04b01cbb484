// Every command as its scenario has it, at the handlers: carried out, and refused. A command without a scenario fails
// here.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { enrollOperator } from "../../src/accounts/enroll-operator.ts";
import { newSigner, type OperatorSigner, signerFrom, signOperatorToken } from "../../src/crypto/operators.ts";
import { handlers } from "../../src/handlers/index.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import { type HandlerHarness, handlerHarness } from "../support/handlers.ts";
import type { Scenario, ScenarioRunner } from "../support/scenarios.ts";
import { scenarios } from "./scenarios.ts";

let harness: HandlerHarness;
let operator: OperatorSigner;
beforeAll(async () => {
  harness = await handlerHarness({ cheapHashes: true, env: { AUTH_LEGACY_TOPICS: "false", AUTH_PASSWORD_MIN: "15" } });
  operator = await signerFrom(newSigner("tester"));
  const { pool, dataKeys } = harness;
  const enrolment = { name: "tester", key: operator, reason: "a test", first: true };
  await enrollOperator({ pool, clock: systemClock, dataKeys }, enrolment);
}, 60_000);
afterAll(() => harness.close());

/** Runs a scenario. @returns `ok` and codes that its command was answered with */
async function outcomesOf(topic: string, scenario: Scenario): Promise<string[]> {
  const outcomes: string[] = [];
  const ask: ScenarioRunner["ask"] = async (asked, input) => {
    const note = (outcome: string): void => void (asked === topic && outcomes.push(outcome));
    try {
      const answer = await harness.ask(asked as never, input as never);
      note("ok");
      return answer;
    } catch (error) {
      if (error instanceof Refusal) note(error.code);
      throw error;
    }
  };
  await scenario.run(
    {
      ask,
      async refused(asked, input) {
        const refusal = await ask(asked, input).catch((error: unknown) => error);
        if (refusal instanceof Refusal) return refusal.code;
        throw refusal instanceof Error ? refusal : new Error(`${asked} was not refused`);
      },
      mailedToken: async (email) => (await harness.mailedTokens({ to: email })).at(-1)!,
      note: () => undefined,
      operatorToken: async () =>
        signOperatorToken(operator, { name: "tester", issuer: "auth", now: systemClock.now() }),
    },
    topic,
  );
  return outcomes;
}

test("every command has a scenario, and every scenario a command", () => {
  expect(Object.keys(scenarios).toSorted()).toEqual(handlers.map(({ topic }) => topic as string).toSorted());
});

test.each(Object.entries(scenarios))("%s is carried out", async (topic, scenario) => {
  const outcomes = await outcomesOf(topic, scenario);
  expect(outcomes).toContain("ok");
  expect(outcomes).not.toContain("INTERNAL");
});

test("a scenario whose command is refused, or is not refused where it must be, fails (the control)", async () => {
  const accessToken = randomBytes(32).toString("base64url");
  const refused: Scenario = { run: async ({ ask }) => void (await ask("auth.session.list", { accessToken })) };
  await expect(outcomesOf("auth.session.list", refused)).rejects.toThrow(Refusal);
  const carriedOut: Scenario = { run: async (runner) => void (await runner.refused("auth.key.list", {})) };
  await expect(outcomesOf("auth.key.list", carriedOut)).rejects.toThrow("auth.key.list was not refused");
});

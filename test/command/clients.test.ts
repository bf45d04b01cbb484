// The field `client`, in every command that has one: what is refused, and the form in which it is kept.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Call } from "../../src/bus/command.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { account, type HandlerHarness, handlerHarness } from "../support/handlers.ts";

let harness: HandlerHarness;
beforeAll(async () => {
  harness = await handlerHarness({ cheapHashes: true });
}, 60_000);
afterAll(() => harness.close());

const having = Object.entries(commandSchemas)
  .filter(([, { request }]) => request.fields.some(({ name }) => (name as string) === "client"))
  .map(([topic]) => topic);

/** How a request is answered whose other texts are what no handler takes. */
async function refusalOf(topic: string, client: object): Promise<[code: string, field: string | undefined]> {
  const { sealedFields = [], fields } = commandSchemas[topic as "auth.session.login"].request;
  const texts = [...fields, ...sealedFields].map(({ name }) => [name, ""]);
  const request = { ...(Object.fromEntries(texts) as object), client };
  const headers = { reply: { topic: "auth.reply.test" }, idempotencyKey: randomBytes(16) };
  const call = { topic, headers, deadline: performance.now() + 30_000 } as unknown as Call;
  const refusal: unknown = await harness.commands
    .get(topic)!
    .handle(request, call)
    .catch((error: unknown) => error);
  return refusal instanceof Refusal ? [refusal.code, refusal.details["field"]] : ["ok", undefined];
}

const client = { ip: "203.0.113.7", userAgent: "Firefox", device: "laptop" };

test("there are commands that have one", () => {
  expect(having).toContain("auth.session.login");
  expect(having.length).toBeGreaterThan(6);
});

describe("is refused by every command that has it:", () => {
  test.each([
    ["ip", "unknown"],
    ["ip", ""],
    ["ip", "1.2.3.4, 5.6.7.8"],
    ["ip", "1.2.3.4/24"],
    ["userAgent", "x".repeat(513)],
    ["userAgent", "😀".repeat(513)],
    ["device", "x".repeat(257)],
  ])("%s %s", async (field, value) => {
    for (const topic of having)
      expect([topic, ...(await refusalOf(topic, { ...client, [field]: value }))]).toEqual([
        topic,
        "INVALID_INPUT",
        `client.${field}`,
      ]);
  });

  test("and a good one is not (the control)", async () => {
    const longest = { ip: "[2001:db8::1]:443", userAgent: "😀".repeat(512), device: "😀".repeat(256) };
    for (const topic of having)
      for (const good of [client, longest, { ip: null, userAgent: null, device: null }])
        expect((await refusalOf(topic, good))[1] ?? "none").not.toMatch(/^client/);
  });
});

test("is kept as it is checked: the address alone, and no field that is not known", async () => {
  const { login, password } = await account(harness);
  const given = { ip: "[2001:0DB8::1]:443", userAgent: "Firefox", device: "laptop", more: "x" };
  const { tokens } = await harness.ask("auth.session.login", { login, password, client: given });
  const { sessions } = await harness.ask("auth.session.list", { accessToken: tokens!.accessToken });
  expect(sessions[0]).toMatchObject({ client: { ip: "2001:db8::1", userAgent: "Firefox", device: "laptop" } });
  expect(JSON.stringify(sessions)).not.toContain("more");
});

// A handler has the capabilities that it names and no others: its code does not compile without the name, and the value
// is not there when it runs.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Call } from "../../src/bus/command.ts";
import { makeContext } from "../../src/command/capabilities.ts";
import type { Capability, Context } from "../../src/command/context.ts";
import { defineHandler } from "../../src/command/define.ts";
import { handlers } from "../../src/handlers/index.ts";
import { type HandlerHarness, handlerHarness } from "../support/handlers.ts";

let harness: HandlerHarness;
beforeAll(async () => {
  harness = await handlerHarness({ cheapHashes: true });
}, 60_000);
afterAll(() => harness.close());

const core = ["call", "settings", "tokens", "now", "uuid", "actIn", "read", "checkInbox"].concat([
  "audited",
  "commit",
  "commitRefusal",
]);
const all: Record<Capability, true> = {
  passwords: true,
  attempts: true,
  uses: true,
  mails: true,
  sessions: true,
  mfa: true,
  passkeys: true,
  operators: true,
  quarantinedLogins: true,
  personalData: true,
  denials: true,
  keys: true,
  metrics: true,
};

function contextOf(needs: readonly Capability[]): string[] {
  const call = {
    topic: "auth.key.list",
    headers: { reply: { topic: "auth.reply.test" }, idempotencyKey: Buffer.alloc(16) },
  } as unknown as Call;
  const storing = { fingerprint: undefined, ttlMs: 0, attempts: undefined, uses: undefined };
  return Object.keys(makeContext(harness.parts, { call, storing }, needs)).sort();
}

test("the context of a run is the core and what the handler names", () => {
  expect(contextOf([])).toEqual(core.toSorted());
  expect(contextOf(["mails", "passwords"])).toEqual([...core, "mails", "passwords"].sort());
  const every = Object.keys(all) as Capability[];
  expect(contextOf(every)).toEqual([...core, ...every].sort());
});

test("each capability is named by a handler", () => {
  const named = new Set(handlers.flatMap(({ needs = [] }) => needs));
  expect([...named].sort()).toEqual(Object.keys(all).sort());
});

test("code that uses a capability without naming it does not compile", () => {
  const counted = (ctx: Context<"mails">): unknown => ctx.mails.count("confirm", "ada@example.com");
  const named = defineHandler({
    topic: "auth.key.list",
    lane: "cheap",
    storesAnswer: false,
    needs: ["mails"],
    handle: (_request, ctx) => Promise.resolve({ jwks: String(counted(ctx)) }),
  });
  const unnamed = defineHandler({
    topic: "auth.key.list",
    lane: "cheap",
    storesAnswer: false,
    // @ts-expect-error it names no capability, so there is no ctx.mails
    handle: (_request, ctx) => Promise.resolve({ jwks: String(counted(ctx)) }),
  });
  expect(named.needs).toEqual(["mails"]);
  expect(unnamed.needs).toBeUndefined();
});

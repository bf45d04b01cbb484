// Who may act on whom: every administrative command, given by a user and by an operator who hold exactly its
// permission, on a user and on roles that are above them. A new command fails the first test until its scenario says
// its rights.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { enrollOperator } from "../../../src/accounts/enroll-operator.ts";
import { newSigner, type OperatorSigner, signerFrom, signOperatorToken } from "../../../src/crypto/operators.ts";
import { handlers } from "../../../src/handlers/index.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { scenarios } from "../../handlers/scenarios.ts";
import { account, type HandlerHarness, handlerHarness } from "../../support/handlers.ts";
import type { Rights } from "../../support/scenarios.ts";

let harness: HandlerHarness;
let root: OperatorSigner;
beforeAll(async () => {
  harness = await handlerHarness({ cheapHashes: true });
  root = await signerFrom(newSigner("root"));
  const { pool, dataKeys } = harness;
  const enrolment = { name: "root", key: root, reason: "a test", first: true };
  await enrollOperator({ pool, clock: systemClock, dataKeys }, enrolment);
}, 60_000);
afterAll(() => harness.close());

const rows = Object.entries(scenarios).flatMap(([topic, { rights }]): [topic: string, rights: Rights][] =>
  rights === undefined ? [] : [[topic, rights]],
);
const doing = (...kinds: Rights["does"][]) => rows.filter(([, { does }]) => kinds.includes(does));

const row = z.record(z.string(), z.unknown());
const all = (query: ReturnType<typeof sql.fragment>) => harness.pool.any(sql.type(row)`${query}`);

async function newRole(...permits: string[]): Promise<string> {
  const name = `r${randomBytes(5).toString("hex")}`;
  await all(sql.fragment`
    WITH made AS (INSERT INTO roles (name) VALUES (${name}) RETURNING id)
    INSERT INTO role_permissions SELECT id, permission FROM made, unnest(${sql.array(permits, "text")}) AS permission RETURNING 1`);
  return name;
}

/** A user with these roles. @returns their target */
async function newUser(...roles: string[]): Promise<string> {
  const name = `u${randomBytes(6).toString("hex")}`;
  const [made] = await all(sql.fragment`
    INSERT INTO users (id, login, login_key, username, email, email_key, confirmed_at)
    VALUES (nextval('user_ids'), ${name}, ${name}, ${name}, ${`${name}@example.com`}, ${`${name}@example.com`}, now()) RETURNING id`);
  await give(Number(made!["id"]), roles);
  return `id:${Number(made!["id"])}`;
}

const give = (userId: number, roles: string[]) =>
  all(sql.fragment`
    INSERT INTO user_roles SELECT ${userId}, id FROM roles WHERE name = ANY(${sql.array(roles, "text")}) RETURNING 1`);

interface Actor {
  /** As events name them. */
  sub: string;
  actorToken: string;
}
interface UserActor extends Actor {
  id: number;
  role: string;
}

/** A user, logged in, whose one role permits exactly this. */
async function userWith(...permits: string[]): Promise<UserActor> {
  const role = await newRole(...permits);
  const { id, login, password } = await account(harness);
  await give(id, [role]);
  const { tokens } = await harness.ask("auth.session.login", { login, password, rotating: true });
  return { id, role, sub: `user:${id}`, actorToken: tokens!.accessToken };
}

const sign = (name: string, signer: OperatorSigner): string =>
  signOperatorToken(signer, { name, issuer: "auth", now: systemClock.now() });

/** An operator who may do exactly this, enrolled by one who may do everything. */
async function operatorWith(...permits: string[]): Promise<Actor> {
  const name = `o${randomBytes(5).toString("hex")}`;
  const signer = await signerFrom(newSigner(name));
  const enrolled = { name, publicKey: JSON.stringify(signer.jwk), permissions: permits, reason: "a test" };
  await harness.ask("auth.admin.add-operator", { actorToken: sign("root", root), ...enrolled });
  return { sub: `operator:${name}`, actorToken: sign(name, signer) };
}

const isUser = (actor: Actor): actor is UserActor => "role" in actor;
const ownRole = (actor: Actor): string[] => (isUser(actor) ? [actor.role] : []);

const act = (topic: string, { actorToken }: Actor, on: { target?: string; role?: string }) =>
  harness.outcome(
    topic as never,
    { actorToken, ...scenarios[topic]!.rights!.input({ target: on.target ?? "", role: on.role ?? "" }) } as never,
  );

/** What the events of refused attempts say of the actor, and how many rows wait for the audit. */
async function refusals({ sub }: Actor): Promise<{ events: unknown[]; audited: number }> {
  const events = await all(sql.fragment`
    SELECT body->>'command' AS command, body->>'target' AS target, body->>'permission' AS permission
    FROM outbox WHERE kind = 'AdminRefused' AND actor = ${sub} ORDER BY id`);
  const [waiting] = await all(sql.fragment`SELECT count(*)::int AS count FROM audit_intake`);
  return { events: [...events], audited: Number(waiting!["count"]) };
}

const commandOf = (topic: string): string => topic.slice("auth.admin.".length);

async function forbidden(topic: string, actor: Actor, on: { target?: string; role?: string }): Promise<unknown> {
  const before = await refusals(actor);
  expect([topic, on, await act(topic, actor, on)]).toEqual([topic, on, "FORBIDDEN"]);
  const after = await refusals(actor);
  expect([topic, after.audited - before.audited]).toEqual([topic, 1]);
  expect(after.events.length - before.events.length).toBe(1);
  return after.events.at(-1);
}

test("every administrative command says in its scenario which permission it takes", async () => {
  const commands = handlers.map(({ topic }) => topic).filter((topic) => topic.startsWith("auth.admin."));
  expect(rows.map(([topic]) => topic).sort()).toEqual([...commands].sort());
  const nobody = await userWith("something.else");
  for (const [topic, { permission }] of rows)
    expect(await forbidden(topic, nobody, { target: await newUser(), role: "user" })).toMatchObject({ permission });
});

describe.each([
  { kind: "user", actorWith: userWith },
  { kind: "operator", actorWith: operatorWith },
])("a $kind with exactly its permission", ({ actorWith }) => {
  test.each(doing("acts on a user", "gives and takes roles"))(
    "%s does nothing to a user who may do more",
    async (topic, { permission }) => {
      const actor = await actorWith(permission);
      const target = await newUser(await newRole(permission, "more.than-that"));
      const refused = { command: commandOf(topic), target, permission: "more.than-that" };
      expect(await forbidden(topic, actor, { target })).toEqual(refused);
      expect(await forbidden(topic, actor, { target: await newUser("admin") })).toMatchObject({
        command: commandOf(topic),
      });
      expect(await act(topic, actor, { target: await newUser() })).toBe("ok"); // the control
      const stronger = await actorWith(permission, "more.than-that", "roles.give-any");
      expect(await act(topic, stronger, { target })).toBe("ok");
    },
  );

  test.each(doing("changes a role"))(
    "%s changes no role that permits more, none whose name is all there is to it, and not the actor's own",
    async (topic, { permission }) => {
      const actor = await actorWith(permission);
      const [strong, named] = [await newRole("more.than-that"), await newRole()];
      for (const role of [strong, named, ...ownRole(actor)]) {
        const lacking = role === strong ? "more.than-that" : `role.${role}`;
        const refused = { command: commandOf(topic), target: `role:${role}`, permission: lacking };
        expect(await forbidden(topic, actor, { role })).toEqual(refused);
      }
      for (const right of [`role.${named}`, "roles.give-any"]) {
        const role = right === "roles.give-any" ? await newRole() : named;
        expect(await act(topic, await actorWith(permission, right), { role })).toBe("ok"); // the control
      }
      // What stands for the role's name does not stand for what the role permits.
      await forbidden(topic, await actorWith(permission, "roles.give-any", `role.${strong}`), { role: strong });
      expect(await act(topic, await actorWith(permission, `role.${strong}`, "more.than-that"), { role: strong })).toBe(
        "ok",
      );
    },
  );

  test.each(doing("gives and takes roles"))(
    "%s neither gives nor takes a role that permits more, one whose name is all there is to it, or the actor's own",
    async (topic, { permission }) => {
      const actor = await actorWith(permission);
      const [strong, named] = [await newRole("more.than-that"), await newRole()];
      for (const role of [strong, named, ...ownRole(actor)]) {
        await forbidden(topic, actor, { target: await newUser(), role });
        await forbidden(topic, actor, { target: await newUser(role), role: "" });
      }
      if (isUser(actor))
        for (const role of [strong, named, ""]) await forbidden(topic, actor, { target: `id:${actor.id}`, role });
      const may = await actorWith(permission, `role.${named}`);
      const target = await newUser();
      expect(await act(topic, may, { target, role: named })).toBe("ok"); // the control, there and back
      expect(await act(topic, may, { target, role: "" })).toBe("ok");
    },
  );

  const operator = (): string => `o${randomBytes(5).toString("hex")}`;

  test.each(doing("enrols operators"))(
    "%s enrols nobody who may do more, and gives no such operator another key",
    async (topic, { permission }) => {
      const actor = await actorWith(permission);
      for (const more of ["*", "more.than-that", "roles.give-any"])
        expect(await forbidden(topic, actor, { target: operator(), role: more })).toMatchObject({ permission: more });
      const [weak, strong] = [operator(), operator()];
      expect(await act(topic, actor, { target: weak, role: permission })).toBe("ok"); // the control
      const stronger = await actorWith(permission, "more.than-that");
      expect(await act(topic, stronger, { target: strong, role: "more.than-that" })).toBe("ok");
      const target = `operator:${strong}`;
      expect(await forbidden(topic, actor, { target: strong })).toMatchObject({ target, permission: "more.than-that" });
      expect(await act(topic, actor, { target: weak })).toBe("INVALID_INPUT"); // that one may have a key, and has this one
    },
  );

  test.each(doing("removes operators"))("%s removes nobody who may do more", async (topic, { permission }) => {
    const [actor, stronger] = [await actorWith(permission), await actorWith(permission, "more.than-that")];
    const strong = operator();
    const input = { target: strong, role: "more.than-that" };
    expect(await act("auth.admin.add-operator", stronger, input)).toBe("ok");
    const target = `operator:${strong}`;
    expect(await forbidden(topic, actor, { target: strong })).toMatchObject({ target, permission: "more.than-that" });
    expect(await act(topic, stronger, { target: strong })).toBe("ok"); // the control
  });

  test.each(doing("reads"))("%s shows everybody", async (topic, { permission }) => {
    const actor = await actorWith(permission);
    expect(await act(topic, actor, { target: await newUser("admin") })).toBe("ok");
  });
});

test("a role that stays is not given anew: who lacks its name may change the others", async () => {
  const [kept, given] = [await newRole(), await newRole()];
  const { actorToken } = await userWith("users.set-roles", `role.${given}`);
  const target = await newUser(kept);
  const set = (roles: string[]) => harness.outcome("auth.admin.set-roles", { actorToken, target, roles });
  expect(await set([kept, given])).toBe("ok");
  expect(await set([given])).toBe("FORBIDDEN");
  expect(await set([kept])).toBe("ok");
});

test("whoever may make a role makes one with what they hold, and then may not give it", async () => {
  const { id, actorToken } = await userWith("roles.change", "users.set-roles", "users.ban");
  const role = `r${randomBytes(5).toString("hex")}`;
  const make = (grant: string[]) =>
    harness.outcome("auth.admin.change-role", { actorToken, role, create: true, grant, reason: "a test" });
  expect(await make(["users.delete"])).toBe("FORBIDDEN");
  expect(await make(["users.ban"])).toBe("ok");
  const request = { actorToken, target: `id:${id}`, roles: [role], reason: "a test" };
  expect(await harness.outcome("auth.admin.set-roles", request)).toBe("FORBIDDEN");
});

test("a requirement is judged by what the role permits when it is written", async () => {
  const admin = await userWith("roles.change", "roles.give-any", "more.than-that");
  const role = await newRole();
  const weak = await userWith("roles.change", `role.${role}`);
  const change = { actorToken: admin.actorToken, role, grant: ["more.than-that"], reason: "a test" };
  const [, outcome] = await Promise.all([
    harness.ask("auth.admin.change-role", change),
    act("auth.admin.require-mfa", weak, { role }),
  ]);
  const [stored] = await all(sql.fragment`SELECT requires_mfa FROM roles WHERE name = ${role}`);
  expect(stored!["requires_mfa"]).toBe(outcome === "ok");
  expect(await act("auth.admin.require-mfa", weak, { role })).toBe("FORBIDDEN");
});

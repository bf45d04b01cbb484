// AUTH_KEY_PINS: a requester seals to pinned keys alone and believes pinned keys alone, whatever is written to the brokers; and keys can turn
// under pins without a refusal, where the next keys are pinned ahead.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from "jose";
import { type Client, type ConnectOptions, connect, type Verifier } from "../src/client/index.ts";
import { connectGateway } from "./bridge/gateway.ts";
import { called } from "./ctl/authctl.ts";
import { type Fleet, startFleet, type TestFleet, testFleet, until } from "./support/fleet.ts";
import { type Confirmed, confirmed, refusalOf, refused } from "./support/people.ts";

interface Listed {
  kid: string;
  use: string;
  state: string;
}

const stranger = "b917Uo0YbOJGxKEONUIxEtQyxrY1jFVwDoEDvbSTbMs";
let own: Fleet;
let fleet: TestFleet;
let person: Confirmed;
let first: Listed[];
const clients: Client[] = [];
beforeAll(async () => {
  own = await startFleet("pins", { env: { AUTH_KEY_PUBLISH_AHEAD: "2s" }, roles: ["worker", "relay"] });
  fleet = await testFleet(own);
  [person, first] = await Promise.all([confirmed(fleet), keys()]);
}, 90_000);
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close(0)));
  await fleet.close();
  await own.stop();
});

async function keys(): Promise<Listed[]> {
  const { stdout } = await called(["keys", "list", "--json"], own.env);
  return (JSON.parse(stdout) as { keys: Listed[] }).keys;
}

const kids = (list: Listed[], use?: string): string[] =>
  list.filter((key) => use === undefined || key.use === use).map(({ kid }) => kid);

function pinned(keyPins: string[] | undefined): Client {
  const options: ConnectOptions = {
    brokers: own.env["AUTH_KAFKA_BROKERS"]!.split(","),
    registry: own.env["AUTH_REGISTRY_URL"]!,
    name: "gateway",
    topicPrefix: own.prefix,
    ...(keyPins && { keyPins }),
  };
  const client = connect(options);
  clients.push(client);
  return client;
}

const login = (client: Client) =>
  client.session.login({ login: person.login, password: person.password }).then(({ tokens }) => tokens!);

/** Without waiting for what can only be waited for in vain. */
const read = (verifier: Verifier): Promise<void> => until("the feeds are read", () => verifier.fresh);

describe("a client", () => {
  test("with the fleet's keys pinned seals, and believes tokens", async () => {
    const client = pinned(kids(first));
    const verifier = client.verifier();
    const { accessToken } = await login(client);
    await verifier.ready();
    expect(await verifier.verify(accessToken)).toMatchObject({ userId: person.id, by: "local", fresh: true });
  });

  test("with another key pinned seals nothing, believes nothing, and says what to do", async () => {
    const client = pinned([stranger]);
    const verifier = client.verifier();
    const sealing = await refused(login(client));
    const advice = /is not pinned.*authctl keys list.*AUTH_KEY_PINS/;
    const reason = "unpinned-key";
    expect(sealing).toMatchObject({ code: "UNAVAILABLE", details: { reason, kid: kids(first, "enc")[0] } });
    expect(sealing.message).toMatch(advice);
    await read(verifier);
    const believing = await refused(verifier.verify(person.tokens.accessToken, { whenStale: "accept" }));
    expect(believing).toMatchObject({ code: "UNAVAILABLE", details: { reason, kid: kids(first, "sig")[0] } });
    expect(believing.message).toMatch(advice);
    expect((await refused(verifier.ready())).details["reason"]).toBe(reason);
    expect(verifier.jwks().keys).toEqual([]);
    expect(await client.key.list({})).toMatchObject({ jwks: expect.any(String) }); // the control: only what is secret waits
  });

  test("with the sealing key alone pinned seals, and believes no token", async () => {
    const client = pinned(kids(first, "enc"));
    const verifier = client.verifier();
    const { accessToken } = await login(client);
    await read(verifier);
    expect((await refused(verifier.verify(accessToken))).details["reason"]).toBe("unpinned-key");
  });
});

test("who writes a key of his own to auth.key can make tokens, but not for who has pins", async () => {
  const [trusting, careful] = [pinned(undefined).verifier(), pinned(kids(first)).verifier()];
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  const value = JSON.stringify({ ...jwk, kid, use: "sig", alg: "ES256", state: "active", createdAt: 1, activeAt: 1 });
  const copy = JSON.stringify({ ...jwk, kid: kids(first, "sig")[0], use: "sig", alg: "ES256", state: "active" });
  const record = (key: string, text: string | null) => ({
    topic: "auth.key",
    key: Buffer.from(key),
    value: text === null ? null : Buffer.from(text),
    headers: {},
  });
  await fleet.kafka.produce([record(kid, value)]);
  const claims = { ...decodeJwt(person.tokens.accessToken), roles: ["admin"] };
  const forged = await new SignJWT(claims).setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid }).sign(privateKey);
  await Promise.all([trusting.ready(), careful.ready()]);
  await until("it is believed without pins", async () => {
    return (await trusting.verify(forged, { whenStale: "refuse" }).catch(() => undefined))?.roles[0] === "admin";
  });
  expect((await refused(careful.verify(forged))).details["reason"]).toBe("unpinned-key");
  // Nor is anybody asked about a key that nobody has published, and which is not pinned.
  const asking = refusalOf(
    careful.verify(await resigned(forged, privateKey), {
      inspect: () => Promise.reject(new Error("somebody was asked")),
    }),
  );
  expect(await asking).toBe("TOKEN_INVALID");
  // A key under the name of a pinned one takes nobody's place.
  await fleet.kafka.produce([record(kids(first, "sig")[0]!, copy)]);
  expect(await careful.verify(person.tokens.accessToken)).toMatchObject({ userId: person.id });
  await fleet.kafka.produce([record(kid, null)]);
});

const resigned = (token: string, key: Parameters<SignJWT["sign"]>[0]): Promise<string> =>
  new SignJWT(decodeJwt(token)).setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: stranger }).sign(key);

describe("a bridge and authctl", () => {
  test("read AUTH_KEY_PINS", async () => {
    await own.start("bridge", "pinned", { AUTH_KEY_PINS: kids(first).join() });
    const gateway = await connectGateway(own.grpc);
    const { status, reply } = await gateway.call("Authenticate", { login: person.login, password: person.password });
    expect(status).toBe("OK");
    const { access_token } = reply as { access_token: string };
    expect((await gateway.call("CurrentUser", { access_token })).reply).toMatchObject({ id: person.id });
    gateway.close();
  });

  test("seal nothing to other keys, and say so", async () => {
    await own.start("bridge", "deceived", { AUTH_KEY_PINS: stranger });
    const gateway = await connectGateway(own.grpc);
    const answer = await gateway.call("Authenticate", { login: person.login, password: person.password });
    expect([answer.status, answer.code]).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
    expect(answer.details).toMatch(/is not pinned.*AUTH_KEY_PINS/);
    gateway.close();
    const ran = await called(["users", "show", person.login], { ...own.env, AUTH_KEY_PINS: stranger });
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/is not pinned.*AUTH_KEY_PINS/)]);
    expect(
      (await called(["users", "show", person.login], { ...own.env, AUTH_KEY_PINS: kids(first).join() })).code,
    ).toBe(0);
    const wrong = await called(["users", "show", person.login], { ...own.env, AUTH_KEY_PINS: "x" });
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("AUTH_KEY_PINS must be thumbprints")]);
  });
});

test("keys turn under pins: who has pinned the next ones goes on, who is behind still seals, and refuses the new tokens", async () => {
  await called(["keys", "rotate"], own.env);
  const next = kids((await keys()).filter(({ state }) => state === "next"));
  expect(next).toHaveLength(2);
  const [ahead, behind] = [pinned([...kids(first), ...next]), pinned(kids(first))];
  const verifiers = [ahead.verifier(), behind.verifier()];
  await Promise.all([login(ahead), ...verifiers.map((verifier) => verifier.ready())]);
  const turned = async () => next.includes(decodeProtectedHeader((await login(ahead)).accessToken).kid!);
  await until("tokens are signed with the next key", turned);
  const { accessToken } = await login(behind); // sealed to the retired key
  expect(await verifiers[0]!.verify(accessToken)).toMatchObject({ userId: person.id });
  expect((await refused(verifiers[1]!.verify(accessToken))).details["reason"]).toBe("unpinned-key");
}, 30_000);

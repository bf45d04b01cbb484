// Callers whom a bridge trusts by their certificates, and what the log says of those that name no address.
import { credentials } from "@grpc/grpc-js";
import { namesOf } from "../../src/bridge/metadata.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { selfSigned } from "./certificate.ts";
import { client, clientOf, device, login, started, unknownOf } from "./device-metadata.ts";
import type { StartedBridge } from "./pretend-fleet.ts";

test("the log says once an hour how many calls came without an address", async () => {
  const hour = 3_600_000;
  let later = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + later };
  const bridge = await started({ clock });
  const said = () =>
    bridge.logged
      .filter((line) => line.includes("Calls come without auth-client-ip"))
      .map((line) => (JSON.parse(line) as { calls: number }).calls);
  for (let call = 0; call < 3; call += 1) await bridge.gateway.call("Authenticate", login);
  later = hour - 60_000;
  await bridge.gateway.call("Authenticate", login);
  expect(said()).toEqual([1]);
  later = hour;
  await bridge.gateway.call("Authenticate", login);
  expect(said()).toEqual([1, 4]);
  expect(await unknownOf(bridge)).toBe(5);
  await bridge.stop();
});

describe("a bridge that trusts callers by their certificates", () => {
  const ours = selfSigned();
  const callers = {
    common: selfSigned("gateway"),
    dns: selfSigned("a", ["gateway", "b"]),
    uri: selfSigned("b", ["spiffe://example.org/gateway"]),
    other: selfSigned("other", ["other.gateway", "gateway.other"]),
  };
  let bridge: StartedBridge;
  beforeAll(async () => {
    const env = {
      AUTH_GRPC_TLS_CERT: ours.cert,
      AUTH_GRPC_TLS_KEY: ours.key,
      AUTH_GRPC_TLS_CLIENT_CA: Object.values(callers)
        .map(({ cert }) => cert)
        .join(""),
      AUTH_GRPC_TRUSTED: "gateway, spiffe://example.org/gateway",
    };
    bridge = await started({ env, channel: channelOf(callers.common) });
  });
  afterAll(() => bridge.stop());

  function channelOf({ cert, key: own }: { cert: string; key: string }) {
    return credentials.createSsl(Buffer.from(ours.cert), Buffer.from(own), Buffer.from(cert));
  }

  test.each([
    ["common", client],
    ["dns", client],
    ["uri", client],
    ["other", undefined],
  ] as const)("%s: %j", async (name, expected) => {
    const gateway = await bridge.connectTo(channelOf(callers[name]));
    const before = await unknownOf(bridge);
    expect(await gateway.call("Authenticate", login, { metadata: device })).toMatchObject({ status: "OK" });
    gateway.close();
    expect(clientOf(bridge)).toEqual(expected);
    expect(await unknownOf(bridge)).toBe(before + (expected === undefined ? 1 : 0));
  });
});

describe("the names of a certificate", () => {
  test.each([
    [{ subject: { CN: "a" } }, ["a"]],
    [{ subject: { CN: ["a", "b"] } }, ["a", "b"]],
    [
      { subjectaltname: "DNS:a.example, URI:spiffe://x/y, IP Address:127.0.0.1, email:a@b" },
      ["a.example", "spiffe://x/y", "127.0.0.1", "a@b"],
    ],
    [{ subjectaltname: 'DNS:a, URI:"http://x/, DNS:gateway"' }, ["a", "http://x/, DNS:gateway"]],
    [{ subjectaltname: 'DirName:"CN=gateway", othername:gateway, DNS:b' }, ["b"]],
    [{ subjectaltname: 'DNS:"broken' }, []],
    [{}, []],
    [undefined, []],
  ])("of %j are %j", (certificate, names) => {
    expect(namesOf(certificate as never)).toEqual(names);
  });
});

// What connect() says of options that it cannot use. It says so before anything is connected.
import { expect, test } from "@jest/globals";
import { type ConnectOptions, connect } from "../../src/client/index.ts";

const options: ConnectOptions = { brokers: ["127.0.0.1:1"], registry: "http://127.0.0.1:1", name: "shop" };

test.each<[string, object, string]>([
  ["no brokers", { brokers: [] }, '"brokers" must be a list of host:port'],
  ["a registry that is no URL", { registry: "registry" }, '"registry" must be a URL'],
  ["a name in capitals", { name: "Shop" }, '"name" must be lower-case letters, digits and dashes'],
  ["a driver that there is not", { driver: "toString" }, '"driver" must be kafkajs or platformatic'],
  ["an id of a fleet that is none", { fleetId: "x" }, '"fleetId" '],
])("connect() refuses %s", (_name, wrong, message) => {
  expect(() => connect({ ...options, ...wrong })).toThrow(TypeError);
  expect(() => connect({ ...options, ...wrong })).toThrow(message);
});

test.each(["kafkajs", "platformatic"] as const)("connect() takes the driver %s", async (driver) => {
  const client = connect({ ...options, driver });
  expect(client.healthy).toBe(false);
  await client.close(0);
});

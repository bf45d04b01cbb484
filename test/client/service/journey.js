// What a service does with the installed package: it calls, checks tokens by itself and reads events. Plain JavaScript,
// run in a project of its own (test/support/service.ts) under the Node that is asked for. It has a kafkajs of its own,
// and says what it finds changed in that one, and in the one that the package carries, after all was done.
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { connect, Refusal } from "authfleet-client";

const [options, user] = JSON.parse(process.argv[2]);
const own = createRequire(import.meta.url);
const carried = createRequire(own.resolve("authfleet-client"));

/** Every member of every module of a kafkajs, of its classes' prototypes and of its tables, by a name for each. */
function membersOf(load) {
  const home = dirname(load.resolve("kafkajs/package.json")) + sep;
  // Every one is loaded: kafkajs loads some when it needs them, which is no change.
  for (const file of readdirSync(`${home}src`, { recursive: true }))
    if (file.endsWith(".js")) load(`${home}src/${file}`);
  load("kafkajs");
  const members = new Map();
  const add = (name, holder, depth) => {
    for (const key of Reflect.ownKeys(holder)) {
      const { value, get } = Object.getOwnPropertyDescriptor(holder, key);
      members.set(`${name}.${String(key)}`, get ?? value);
      const isTable = typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
      if (depth > 0 && (key === "prototype" || isTable)) add(`${name}.${String(key)}`, value, depth - 1);
    }
  };
  for (const [file, { exports }] of Object.entries(load.cache)) {
    const name = file.startsWith(home) ? file.slice(home.length) : undefined;
    if (name !== undefined && (typeof exports === "function" || typeof exports === "object")) add(name, exports, 2);
  }
  return members;
}

function changes(load, before) {
  const now = membersOf(load);
  return [...new Set([...before.keys(), ...now.keys()])].filter((name) => before.get(name) !== now.get(name));
}

process.on("unhandledRejection", (reason) => console.log("unhandled", reason));
const before = [own, carried].map((load) => membersOf(load));
const auth = connect(options);
const seen = Promise.withResolvers();
const read = async (event) =>
  event.name === "UserRegistered" && event.login === user.login && seen.resolve(event.login);
await auth.events(read, { group: `test.${process.versions.node}`, only: ["UserRegistered"] }).ready;
const verifier = auth.verifier();
await auth.account.register(user);
const refused = await auth.session.login(user, { timeoutMs: 20_000 }).catch((error) => error);
const aborted = await auth.key.list({}, { signal: AbortSignal.abort("gone") }).catch((reason) => reason);
await verifier.ready();
const keys = verifier.jwks().keys.length;
const event = await seen.promise;
await auth.close();

let withoutPackage;
try {
  connect({ ...options, driver: "platformatic" });
} catch (error) {
  withoutPackage = String(error);
}

const changed = [own, carried].map((load, index) => changes(load, before[index]));
// The control: a patch of a class, and another codec, are seen.
const patched = carried("kafkajs/src/network/connection");
const { send } = patched.prototype;
patched.prototype.send = function (...args) {
  return Reflect.apply(send, this, args);
};
carried("kafkajs").CompressionCodecs[2] = () => undefined;
console.log(
  JSON.stringify({
    node: process.versions.node,
    copies: new Set([own, carried].map((load) => load.resolve("kafkajs"))).size,
    members: before[0].size,
    changed,
    control: changes(carried, before[1]),
    refused: refused instanceof Refusal && refused.code,
    aborted,
    event,
    isSupplied: keys > 0,
    withoutPackage,
  }),
);
process.exit();

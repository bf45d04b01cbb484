// What a fleet needs before a run: a reply topic of the run's own, no bound on its dead letters, memory as the image
// bounds it, accounts that may come to harm, and some that may not.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type FaultName, watched } from "../faults.ts";
import type { Fleet } from "../fleet.ts";
import { end } from "../processes.ts";
import type { TestFleet } from "../test-fleet.ts";
import { type Confirmed, confirmed } from "../users.ts";
import { fewAtATime, gather, type Material } from "./material.ts";

const name = "fuzz";

/** What the image says to Node and to malloc. */
function memoryOfTheImage(): Record<string, string> {
  const dockerfile = readFileSync(fileURLToPath(import.meta.resolve("../../../Dockerfile")), "utf8");
  const line = /^ENV (NODE_OPTIONS=.*)$/m.exec(dockerfile)![1]!;
  return Object.fromEntries(
    line.split(" ").map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)]),
  );
}

export const fuzzEnvironment = {
  ...memoryOfTheImage(),
  AUTH_REPLY_SERVICES: `${name},test`,
  AUTH_REQUIRE_SEALED: "true",
  AUTH_ACCESS_TTL: "4h",
  AUTH_DEAD_LETTERS_PER_MINUTE: "1000000",
};

export interface Prepared {
  material: Material;
  honest: Confirmed[];
}

const accounts = 6;

export async function fuzzFleet(held: TestFleet): Promise<Prepared> {
  const material = await gather(held, `auth.reply.${name}`, accounts);
  return { material, honest: await fewAtATime(accounts, () => confirmed(held)) };
}

/** Ends the workers that there are, and starts so many others, watched, with these faults in them. */
export async function anewWorkers(fleet: Fleet, count: number, ...faults: FaultName[]): Promise<void> {
  const before = [...fleet.processes].filter(([each]) => each.startsWith("worker"));
  for (const [each, child] of before) {
    await end(child, faults.length > 0 ? "SIGTERM" : "SIGKILL");
    fleet.processes.delete(each);
  }
  const names = Array.from({ length: count }, (_, at) => `worker-${before.length > 0 ? "again-" : ""}${at + 1}`);
  for (const each of names) await fleet.start("worker", each, {}, watched(...faults));
}

/** Of AUTH_TEST_FUZZ_SEED, or a new one. */
export function fuzzSeed(): number {
  return Number(process.env["AUTH_TEST_FUZZ_SEED"] || Math.floor(Math.random() * 2 ** 32));
}

// What a fleet needs before a run: a reply topic of the run's own, no bound on its dead letters, accounts that may come
// to harm, and some that may not.
import { type FaultName, watched } from "../faults.ts";
import { end, type Fleet, type TestFleet } from "../fleet.ts";
import { type Confirmed, confirmed } from "../people.ts";
import { fewAtATime, gather, type Material } from "./material.ts";

const name = "fuzz";

export const fuzzEnvironment = {
  AUTH_REPLY_SERVICES: `${name},test`,
  AUTH_REQUIRE_SEALED: "true",
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

// The order in which Jest begins the test files: those that take longest first, so that none of them is left to run
// alone at the end; then by size, which is all that a fresh clone knows of the others.
import { statSync } from "node:fs";

/** Each takes 20 s or more, most of it waiting for Kafka. A run prints its slowest files (bin/run-jest.js). */
const longest = [
  "crash/away",
  "enumeration",
  "crash/leave",
  "crash/brokers",
  "fuzz",
  "secrets",
  "crash/requesters",
  "crash/held",
  "endings/endings",
  "relay/marks",
  "processes/restart",
  "processes/fleet",
  "verifier",
  "bench",
  "crash/silent",
  "crash/drivers",
  "mail/mailer",
  "authctl/demo/journey",
  "authctl/import/import",
  "authctl/dlq/dlq",
  "processes/pools",
  "interop/python",
  "crash/kill-relay",
  "crash/kill-worker",
  "crash/clock",
  "audit/audit",
  "lint",
];
const places = new Map(longest.map((name, index) => [`/test/${name}.test.ts`, index]));

export default class Sequencer {
  sort(tests) {
    const placed = tests.map((test) => ({ test, place: placeOf(test.path), bytes: statSync(test.path).size }));
    return placed.sort((a, b) => a.place - b.place || b.bytes - a.bytes).map(({ test }) => test);
  }

  shard(tests, { shardIndex, shardCount }) {
    return this.sort(tests).filter((_, index) => index % shardCount === shardIndex - 1);
  }

  allFailedTests(tests) {
    return tests;
  }

  cacheResults() {}
}

function placeOf(path) {
  const start = path.lastIndexOf("/test/");
  return places.get(path.slice(start)) ?? longest.length;
}

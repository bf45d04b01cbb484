// The order in which Jest begins the test files. Those that take longest are begun early, the longest first, so that
// none of them is left to run alone at the end; between them come the others, so that no three long ones share the
// machine from the start. Others are ordered by size, which is all that a fresh clone knows of them.
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
    const long = placed.filter(({ place }) => place < longest.length).sort((a, b) => a.place - b.place);
    const short = placed.filter(({ place }) => place === longest.length).sort((a, b) => b.bytes - a.bytes);
    const beside = Math.ceil(short.length / Math.max(1, long.length));
    const rest = short.slice(long.length * beside);
    const ordered = long.flatMap((one, index) => [one, ...short.slice(index * beside, (index + 1) * beside)]);
    return [...ordered, ...rest].map(({ test }) => test);
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

// However a call fails, and in whichever of its phases: one rejection, that of its promise; nobody else hears of it,
// and nothing of it stays.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { type FaultName, without } from "../support/faults.ts";

interface Row {
  phase: string;
  failure: string;
  /** A refusal's code, or what the signal gave. */
  came: string;
  /** What the hook `called` was told. */
  outcomes: string[];
  pending: number;
  listeners: number;
  timers: number;
  /** Unhandled rejections. */
  unhandled: number;
}

/** Runs call-phases.ts as a process. @param fault a mechanism that is switched off in it */
async function rows(scenarios: string[], fault?: FaultName): Promise<Row[]> {
  const args = [
    ...(fault === undefined ? [] : without(fault)),
    join(import.meta.dirname, "call-phases.ts"),
    ...scenarios,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 25_000 });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
}

const phases = ["keys", "registry", "produce", "wait", "open"];
const failures = ["none", "aborted before", "aborted during", "deadline", "close", "away"];

/**
 * What a caller is told. Kafka and workers that are away may come back in time; a registry that is away is told at
 * once.
 */
function expected(phase: string, failure: string): string {
  if (failure === "none") return "OVERLOADED"; // the pretended fleet's answer
  if (failure.startsWith("aborted")) return "changed my mind";
  if (failure === "close") return "UNAVAILABLE";
  return failure === "away" && (phase === "registry" || phase === "open") ? "UNAVAILABLE" : "DEADLINE_EXCEEDED";
}

describe("a call that fails", () => {
  let all: Row[];
  beforeAll(async () => {
    all = await rows([]);
  });

  test.each(phases.flatMap((phase) => failures.map((failure) => [phase, failure] as const)))(
    "in the phase %s (%s) rejects once and leaves nothing",
    (phase, failure) => {
      const came = expected(phase, failure);
      const outcomes = [failure.startsWith("aborted") ? "aborted" : came];
      const row = all.find((each) => each.phase === phase && each.failure === failure);
      expect(row).toEqual({ phase, failure, came, outcomes, pending: 0, listeners: 0, timers: 0, unhandled: 0 });
    },
  );
});

describe("each of these would be seen:", () => {
  test.each<[FaultName, string[], Partial<Row>[]]>([
    ["begun-at-once", ["keys/aborted before", "registry/aborted before"], [{ unhandled: 1 }, { unhandled: 1 }]],
    ["signal-kept", ["registry/away"], [{ listeners: 1 }]],
    ["call-kept", ["wait/deadline"], [{ timers: 1 }]],
    ["close-waits", ["keys/close"], [{ came: "nothing came", pending: 1 }]],
  ])("%s", async (fault, scenarios, seen) => {
    expect(await rows(scenarios, fault)).toMatchObject(seen);
  });
});

// The controls of relay/as-of.test.ts: what marks come to where a part of the mechanism is switched off. Run as a
// script under sabotage.ts with all of these faults; it prints what each came to.
import { handlerHarness } from "./handlers.ts";
import { aheadMs, holdable, type MarkScenario, playedFeed, publishAll, scenarios, type Watched } from "./marks.ts";

export interface MarkControls {
  /** Under the fault that lets marks pass there. */
  passed: Record<MarkScenario, Watched>;
  /** Where the database's clock is ten minutes ahead, ms; and where marks go by it alone. */
  ahead: { byBoth: number; byDatabase: number };
}

export const markFaults = ["marks-by-outbox", "marks-unpublished", "database-ahead", "marks-by-database"] as const;
type Fault = (typeof markFaults)[number];

/** What keeps marks from passing each. */
const off: Record<MarkScenario, Fault> = {
  "a commit that waits": "marks-by-outbox",
  "a transaction that has written anything": "marks-by-outbox",
  "a revocation that nobody publishes": "marks-unpublished",
};

function switchOff(...names: Fault[]): void {
  (globalThis as { off?: Set<string> }).off = new Set(names);
}

if (import.meta.main) {
  const harness = await handlerHarness({ cheapHashes: true });
  await holdable(harness);
  const passed: Partial<MarkControls["passed"]> = {};
  for (const [name, fault] of Object.entries(off) as [MarkScenario, Fault][]) {
    switchOff(fault);
    const feed = playedFeed(harness);
    passed[name] = await scenarios[name](harness, feed);
    await publishAll(harness);
    await feed.stop();
  }
  const ahead = async (...names: Fault[]): Promise<number> => {
    switchOff(...names);
    const feed = playedFeed(harness);
    const most = await aheadMs(harness, feed);
    await feed.stop();
    return most;
  };
  const byBoth = await ahead("database-ahead");
  const byDatabase = await ahead("database-ahead", "marks-by-database");
  process.stdout.write(JSON.stringify({ passed, ahead: { byBoth, byDatabase } }));
  process.exit(0);
}

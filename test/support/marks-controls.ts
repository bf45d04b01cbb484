// The controls of relay/as-of.test.ts: what marks come to where a part of the mechanism is switched off. Run as a script
// under sabotage.ts with all of these faults; it prints what each came to.
import { handlerHouse } from "./handlers.ts";
import { aheadMs, holdable, type MarkScene, playedFeed, publishAll, scenes, type Watched } from "./marks.ts";

export interface MarkControls {
  /** Under the fault that lets marks pass there. */
  passed: Record<MarkScene, Watched>;
  /** Where the database's clock is ten minutes ahead, ms; and where marks go by it alone. */
  ahead: { byBoth: number; byDatabase: number };
}

export const markFaults = ["marks-by-outbox", "marks-unpublished", "database-ahead", "marks-by-database"] as const;
type Fault = (typeof markFaults)[number];

/** What keeps marks from passing each. */
const off: Record<MarkScene, Fault> = {
  "a commit that waits": "marks-by-outbox",
  "a transaction that has written anything": "marks-by-outbox",
  "a revocation that nobody publishes": "marks-unpublished",
};

function switchOff(...names: Fault[]): void {
  (globalThis as { off?: Set<string> }).off = new Set(names);
}

if (import.meta.main) {
  const house = await handlerHouse({ cheapHashes: true });
  await holdable(house);
  const passed: Partial<MarkControls["passed"]> = {};
  for (const [name, fault] of Object.entries(off) as [MarkScene, Fault][]) {
    switchOff(fault);
    const feed = playedFeed(house);
    passed[name] = await scenes[name](house, feed);
    await publishAll(house);
    await feed.stop();
  }
  const ahead = async (...names: Fault[]): Promise<number> => {
    switchOff(...names);
    const feed = playedFeed(house);
    const most = await aheadMs(house, feed);
    await feed.stop();
    return most;
  };
  const byBoth = await ahead("database-ahead");
  const byDatabase = await ahead("database-ahead", "marks-by-database");
  process.stdout.write(JSON.stringify({ passed, ahead: { byBoth, byDatabase } }));
  process.exit(0);
}

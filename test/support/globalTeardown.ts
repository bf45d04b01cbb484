// After all tests: ends the fleet and the stack that globalSetup.ts started. What survives this is found and counted by
// bin/run-jest.js.
import "./globalSetup.ts";

export default async function globalTeardown(): Promise<void> {
  await globalThis.runningFleet?.stop();
  await globalThis.runningStack?.stop();
}

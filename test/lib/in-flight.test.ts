// Waiting until nothing is in flight.
import { expect, test } from "@jest/globals";
import { InFlight } from "../../src/lib/in-flight.ts";

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("idle comes when the last one ends, for all who wait; at once where nothing is in flight", async () => {
  const inFlight = new InFlight();
  await inFlight.idle();
  for (let begun = 0; begun < 3; begun += 1) inFlight.begin();
  let idle = 0;
  const both = [1, 2].map(() => inFlight.idle().then(() => idle++));
  for (let ended = 0; ended < 3; ended += 1) {
    await settled();
    expect(idle).toBe(0); // the control: not before
    inFlight.end();
  }
  await Promise.all(both);
  expect(idle).toBe(2);
  inFlight.begin();
  const again = Promise.race([inFlight.idle().then(() => "idle"), settled().then(() => "still in flight")]);
  expect(await again).toBe("still in flight");
});

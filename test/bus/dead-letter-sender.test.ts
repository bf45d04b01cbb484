// How many dead letters one requester gets: so many a minute, and so many bytes; what is over that is counted, and its
// record is done.
import { beforeEach, expect, test } from "@jest/globals";
import { bytesPerMinute, type DeadLetter, makeDeadLetters } from "../../src/bus/dead-letter-sender.ts";
import { quiet } from "../support/logger.ts";

const time = { ms: 0 };
let sent: string[];
let counted: string[];
let letters: ReturnType<typeof makeDeadLetters>;
beforeEach(() => {
  time.ms = 0;
  sent = [];
  counted = [];
  letters = makeDeadLetters({
    send: async ({ key }) => void sent.push(String(key)),
    perMinute: 3,
    monotonic: () => time.ms,
    log: quiet,
    observe: (reason, outcome) => counted.push(`${reason} ${outcome}`),
  });
});

const signal = new AbortController().signal;
async function send(requester: string | undefined, more: Partial<DeadLetter> & { bytes?: number } = {}): Promise<void> {
  const record = {
    topic: "auth.dead-letter",
    key: Buffer.from(String(requester)),
    value: Buffer.alloc(more.bytes ?? 1),
    headers: {},
  };
  await letters.send({ record, reason: "internal", requester, ...more }, signal);
}

test("one that floods is bounded, others are not, and the next minute begins anew", async () => {
  for (let time = 0; time < 5; time += 1) await send("auth.reply.a");
  await send("auth.reply.b");
  expect(sent).toEqual(["auth.reply.a", "auth.reply.a", "auth.reply.a", "auth.reply.b"]);
  expect(counted.filter((each) => each === "internal left-out")).toHaveLength(2);
  time.ms = 59_999;
  await send("auth.reply.a");
  time.ms = 60_000;
  await send("auth.reply.a");
  expect(sent).toHaveLength(5);
});

test("large ones are bounded by their bytes, and one is sent however large", async () => {
  for (let time = 0; time < 3; time += 1) await send("a", { bytes: bytesPerMinute / 2 + 1 });
  await send("b", { bytes: bytesPerMinute + 1 });
  expect(sent).toEqual(["a", "b"]);
});

test("what is the fleet's own has no bound", async () => {
  for (let time = 0; time < 10; time += 1) await send(undefined);
  expect(sent).toHaveLength(10);
});

test("strangers with ever new names do not fill the memory: they share a bound", async () => {
  for (let name = 0; name < 10_005; name += 1) await send(String(name));
  expect(sent).toHaveLength(10_003);
});

// Nobody learns from the time of an answer who has an account, with pairs enough for small differences: 2,000 where
// nothing is hashed, 600 where something is. What it prints are the figures of docs/security.md.
import { expect, test } from "@jest/globals";
import { askBoth, askHandlers, questions } from "../support/enumeration.ts";
import type { Comparison } from "../support/timing.ts";

test.each(questions.map((question) => [question.what, question] as const))(
  "%s",
  async (what, question) => {
    const pairs = question.hashed ? 600 : 2000;
    const { comparison } = await askBoth(question, pairs);
    say(what, comparison);
    if (question.minResponseMs !== undefined)
      say(`${what}, the handler alone`, (await askHandlers(question, pairs)).comparison);
    expect(comparison).toMatchObject({ apart: false });
  },
  600_000,
);

function say(what: string, { share, medians, pairs }: Comparison): void {
  const [somebody, nobody] = medians.map((ms) => ms.toFixed(2));
  const longer = `nobody took longer in ${(100 * share).toFixed(1)} % of ${pairs} pairs`;
  console.log(`${what}: ${somebody} ms, nobody ${nobody} ms; ${longer}`);
}

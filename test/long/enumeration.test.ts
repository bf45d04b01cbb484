// Nobody learns from the time of an answer who has an account, with pairs enough for small differences: 2,000 where nothing is hashed, 600
// where something is. What it prints are the figures of docs/security.md.
import { expect, test } from "@jest/globals";
import { askBoth, questions } from "../support/enumeration.ts";

test.each(questions.map((question) => [question.what, question] as const))(
  "%s",
  async (what, question) => {
    const { comparison } = await askBoth(question, question.hashed ? 600 : 2000);
    const { share, medians, pairs } = comparison;
    const [somebody, nobody] = medians.map((ms) => ms.toFixed(2));
    console.log(
      `${what}: ${somebody} ms, nobody ${nobody} ms; nobody took longer in ${(100 * share).toFixed(1)} % of ${pairs} pairs`,
    );
    expect(comparison).toMatchObject({ apart: false });
  },
  300_000,
);

// How authctl prints texts from outside: in no command do they reach the terminal as anything but characters, and
// --json gives them unchanged.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Invocation } from "../../../src/authctl/command.ts";
import { ctl } from "../../../src/authctl/index.ts";
import { documentText, safeTerminal } from "../../../src/authctl/terminal/safe-terminal.ts";
import type { Colour, Terminal } from "../../../src/authctl/terminal/terminal.ts";
import { escaped, isPlain } from "../../../src/lib/escaped.ts";
import { Refusal } from "../../../src/protocol/errors.ts";
import { commandSchemas } from "../../../src/protocol/generated/schemas.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";

const harmful = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\u200b\ufeff]/u;
const hostile = "a\u001b[2J\u001b]0;x\u0007b\u009b31m\u202ec\nd\re\u2028f\u0000";

test.each([
  ["\u001b[31mred", "\\u001b[31mred"],
  ["a\nb\tc\r", "a\\nb\\tc\\r"],
  ["\u009b31m", "\\u009b31m"],
  ["\u202eabc", "\\u202eabc"],
  ["\ud800", "\\ud800"],
  ["\u{e0001}", "\\udb40\\udc01"],
  ["José کتاب\u200cها 👨\u200d👩\u200d👧 \\n", "José کتاب\u200cها 👨\u200d👩\u200d👧 \\n"],
])("%j is shown as %j", (text, shown) => {
  expect(escaped(text)).toBe(shown);
  expect(isPlain(text)).toBe(text === shown);
});

test("what is looked for below is seen where it stands (the control)", () => {
  expect(hostile).toMatch(harmful);
  expect(JSON.stringify({ hostile })).toMatch(harmful);
});

test("a document gives back every character to whoever parses it", () => {
  fc.assert(
    fc.property(
      fc.object({ key: fc.string({ unit: "binary" }), values: [fc.string({ unit: "binary" })] }),
      (document) => {
        const text = documentText(document);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(document)));
        expect(text.replaceAll("\n", "")).not.toMatch(harmful);
      },
    ),
  );
});

/** A terminal with colours that keeps what it is given. */
function kept() {
  const lines: string[] = [];
  const terminal: Terminal = {
    out: (line) => void lines.push(line),
    err: (line) => void lines.push(line),
    progress: (line) => void lines.push(line),
    live: async (draw) => void lines.push(...draw()),
    ask: async (question) => {
      lines.push(question);
      return "n";
    },
    askUnseen: async (question) => {
      lines.push(question);
      return "n";
    },
    input: async () => "",
    paint: (colour, text) => `<${colour}>${text}</>`,
  };
  return { lines, terminal, safe: safeTerminal(terminal) };
}

describe("a safe terminal", () => {
  test("escapes what it is given, wherever it shows it", async () => {
    const { lines, safe } = kept();
    safe.out(hostile);
    safe.err(hostile);
    safe.progress!(hostile);
    await safe.live!(() => [hostile], 1);
    await safe.ask!(hostile);
    await safe.askUnseen!(hostile);
    expect(lines).toEqual(Array(6).fill(escaped(hostile)));
  });

  test("paints what a command paints, and no text can paint itself", () => {
    const { lines, safe } = kept();
    const red: Colour = "red";
    safe.out(`one ${safe.paint(red, hostile)} two ${safe.paint("dim", "x")}`);
    safe.out(`${randomUUID()} red x${randomUUID()} \u001b[31m`);
    expect(lines[0]).toBe(`one <red>${escaped(hostile)}</> two <dim>x</>`);
    expect(lines[1]).toMatch(/\\u001b\[31m$/);
    expect(lines[1]).not.toContain("<red>");
  });
});

/** A reply in which every text is hostile. */
function replyOf(type: unknown): unknown {
  if (Array.isArray(type)) return replyOf(type.at(-1));
  const shape = typeof type === "object" && type !== null ? (type as Record<string, unknown>) : { type };
  switch (shape["type"]) {
    case "string":
      return hostile;
    case "boolean":
      return true;
    case "array":
      return [replyOf(shape["items"])];
    case "record":
      return recordOf(shape as unknown as Result);
    default:
      return 1;
  }
}

interface Result {
  fields: { name: string; type: unknown }[];
  sealedFields?: { name: string }[];
}

function recordOf({ fields, sealedFields = [] }: Result): Record<string, unknown> {
  const record = Object.fromEntries(fields.map(({ name, type }) => [name, replyOf(type)]));
  for (const { name } of sealedFields) {
    const names = name.split(".");
    const last = names.pop()!;
    const holders = [names.reduce<unknown>((inner, each) => (inner as Record<string, unknown>)[each], record)].flat();
    for (const holder of holders) (holder as Record<string, unknown>)[last] = hostile;
  }
  return record;
}

describe("every command that shows what the fleet answers", () => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await testFleet();
  }, 60_000);
  afterAll(() => fleet.close());

  /** In place of a fleet: answers with hostile texts, or refuses with them. */
  const reach =
    (refuses: boolean): Invocation["reach"] =>
    ({ config }, use) => {
      const request = async (topic: string): Promise<unknown> => {
        if (refuses) throw new Refusal("INVALID_INPUT", { message: hostile, details: { field: hostile } });
        const { reply } = commandSchemas[topic as keyof typeof commandSchemas];
        const answer = recordOf((reply.fields[0].type as unknown as Result[])[0]!);
        const document = JSON.stringify({ account: { id: 1, login: hostile }, leftOut: {} });
        return {
          ...answer,
          cursor: topic.endsWith("list-sessions") ? null : "",
          ...("document" in answer && { document }),
        };
      };
      return use({ client: { ...fleet.client, request: request as never }, kafka: fleet.kafka, config });
    };

  const calls = [
    ["users", "find", "x"],
    ["users", "show", "x"],
    ["users", "set-roles", "x", "admin", "--yes"],
    ["users", "ban", "x", "--reason", "y", "--yes"],
    ["users", "unban", "x"],
    ["users", "unlock", "x"],
    ["users", "delete", "x", "--yes"],
    ["users", "export", "x", "--reason", "y"],
    ["users", "revoke-sessions", "x", "--yes"],
    ["users", "reset-mfa", "x", "--reason", "y", "--yes"],
    ["sessions", "list", "x"],
    ["sessions", "revoke", "x", randomUUID(), "--yes"],
    ["roles", "list"],
    ["roles", "grant", "x", "users.read"],
    ["request", "session.login", '{"login":"ada","password":"x"}'],
    ["request", "admin.find-users", '{"actorToken":"x","search":"","cursor":""}'],
  ];

  test.each(calls.map((args) => [args.join(" "), args] as const))("%s", async (_name, args) => {
    for (const refuses of [false, true]) {
      const readable = kept();
      await ctl([...args], fleet.env, { terminal: readable.terminal, reach: reach(refuses) });
      expect(readable.lines.join("")).not.toMatch(harmful);
      expect(readable.lines.join("\n")).toContain("\\u001b[2J");
      const json = kept();
      await ctl([...args, "--json"], fleet.env, { terminal: json.terminal, reach: reach(refuses) });
      const printed = json.lines.filter((line) => line.startsWith("{"));
      expect(printed.join("").replaceAll("\n", "")).not.toMatch(harmful);
      expect(printed).toHaveLength(1);
      expect(JSON.stringify(JSON.parse(printed[0]!))).toContain(JSON.stringify(hostile).slice(1, -1));
    }
  });
});

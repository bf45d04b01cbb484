// What a new command costs: in a copy of the tree four files are written, the generator is run, and nothing else is
// touched. The copy then compiles, and its own test of scenarios serves the command.
import { execFile } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "@jest/globals";
import { ownFolder, runFolder } from "./support/stack.ts";
import { treeCopy } from "./support/tree-copy.ts";

let copy: string;
let git: (...args: string[]) => string;

/** auth.session.ping: says whose session an access token is of. */
const files: Record<string, string> = {
  "schemas/session/ping.request.avsc": JSON.stringify({
    type: "record",
    namespace: "auth.session",
    name: "PingRequest",
    doc: "Asks whether a session is there.",
    recordKey: { kind: "session", field: "accessToken" },
    sealedFields: [{ name: "accessToken", doc: "Of the session." }],
    fields: [{ name: "sealed", type: "string", doc: "JWE of a JSON object with accessToken." }],
  }),
  "schemas/session/ping.reply.avsc": JSON.stringify({
    type: "record",
    namespace: "auth.session",
    name: "PingReply",
    doc: "Reply to auth.session.ping.",
    fields: [
      {
        name: "outcome",
        type: [
          {
            type: "record",
            namespace: "auth.session",
            name: "PingResult",
            doc: "The session is there.",
            fields: [{ name: "userId", type: "long", doc: "Its user." }],
          },
          "auth.Refusal",
        ],
        doc: "The result, or why there is none.",
      },
    ],
  }),
  "src/handlers/session/ping.ts": `// Ping: says whose session an access token is of. Refuses what requireBearer refuses.
import { requireBearer } from "../../accounts/bearer.ts";
import { defineHandler } from "../../command/define.ts";

export default defineHandler({
  topic: "auth.session.ping",
  lane: "db",
  storesAnswer: false,
  async handle({ accessToken }, ctx) {
    const { userId } = await requireBearer(ctx, accessToken);
    return { userId };
  },
});
`,
  "test/handlers/session/ping.scenario.ts": `import { newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, refreshToken } = await newUser(runner);
    const { userId } = await runner.ask("auth.session.ping", { accessToken });
    if (!Number.isInteger(userId)) throw new Error("no user: " + userId);
    await runner.refused("auth.session.ping", { accessToken: refreshToken });
  },
});
`,
};

/** What `npm run generate` writes, beside src/protocol/generated/. */
const generated = ["docs/asyncapi.yaml", "docs/protocol.md", "src/handlers/index.ts"];

const node = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  promisify(execFile)(process.execPath, args, { cwd: copy, encoding: "utf8", env: { ...process.env, ...env } });

/** Files of the copy that differ from the project's. */
function changed(): string[] {
  const lines = git("status", "--porcelain", "--untracked-files=all").split("\n");
  return lines
    .filter((line) => line !== "")
    .map((line) => line.slice(3))
    .sort();
}

beforeAll(() => {
  ({ folder: copy, git } = treeCopy(join(ownFolder("new-command"), "tree")));
}, 60_000);

test("without its reply schema a command is not generated, and the message names the file", async () => {
  const [, reply] = Object.keys(files) as [string, string];
  for (const [path, text] of Object.entries(files)) if (path !== reply) writeFileSync(join(copy, path), text);
  await expect(node(["tools/generate.ts"])).rejects.toThrow(reply);
});

test("four files are written by hand, the rest is generated", async () => {
  for (const [path, text] of Object.entries(files)) writeFileSync(join(copy, path), text);
  expect(changed()).toEqual(Object.keys(files).sort());
  await node(["tools/generate.ts"]);
  const others = changed().filter((path) => !path.startsWith("src/protocol/generated/") && !generated.includes(path));
  expect(others).toEqual(Object.keys(files).sort());
  expect(changed()).toEqual(expect.arrayContaining(generated));
}, 60_000);

test("the copy compiles, and its scenarios are carried out with the command among them", async () => {
  await node(["node_modules/typescript/bin/tsc", "-p", "."]);
  const results = join(copy, "..", "results.json");
  // The stack of this run is there: the copy starts none.
  writeFileSync(join(copy, "..", "none.js"), "export default async () => {};\n");
  const none = join(copy, "..", "none.js");
  const jest = ["node_modules/jest/bin/jest.js", "--globalSetup", none, "--globalTeardown", none, "--ci"];
  await node(
    ["--experimental-vm-modules", ...jest, "--json", "--outputFile", results, "test/handlers/scenarios.test.ts"],
    { TEST_RUN_DIR: runFolder(), NODE_REDIRECT_WARNINGS: join(copy, "..", "warnings") },
  );
  const { testResults } = JSON.parse(readFileSync(results, "utf8")) as {
    testResults: { assertionResults: { title: string; status: string }[] }[];
  };
  const titles = testResults.flatMap(({ assertionResults }) => assertionResults);
  expect(titles).toContainEqual(
    expect.objectContaining({ title: "auth.session.ping is carried out", status: "passed" }),
  );
}, 120_000);

test("a fifth file that is written by hand is counted (the control)", () => {
  appendFileSync(join(copy, "src", "command", "admin", "permissions.ts"), "// one more\n");
  const others = changed().filter((path) => !path.startsWith("src/protocol/generated/") && !generated.includes(path));
  expect(others).toHaveLength(5);
});

// The rules of the code, as sentences that fail when one is broken. Each guard is tested itself, on a
// line that it must catch.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { handlers } from "../src/handlers/index.ts";
import { commandSchemas, eventSchemas, mailSchema } from "../src/protocol/generated/schemas.ts";
import { projectSources, type Rule, rules } from "./support/code-rules.ts";

const root = join(import.meta.dirname, "..");

interface Source {
  path: string;
  text: string;
}

function sources(folder: string, ext = ".ts"): Source[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ext))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return { path: relative(root, path), text: readFileSync(path, "utf8") };
    })
    .filter((source) => !source.path.startsWith("src/protocol/generated"));
}

const imports = ({ text }: Source): string[] =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]!);

/** Sources among `files` that import what `forbidden` matches, `path imports module` each. */
function crossings(files: Source[], forbidden: RegExp): string[] {
  return files.flatMap((file) =>
    imports(file)
      .map((module) => (module.startsWith(".") ? relative(root, join(root, file.path, "..", module)) : module))
      .filter((module) => forbidden.test(module))
      .map((module) => `${file.path} imports ${module}`),
  );
}

/** Sources whose code, comments aside, has what `pattern` matches. */
function having(files: Source[], pattern: RegExp): string[] {
  return files
    .filter(({ text }) => pattern.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")))
    .map(({ path }) => path);
}

const all = sources("src");
const within = (folder: string): Source[] => all.filter((file) => file.path.startsWith(folder));
const except = (...paths: string[]): Source[] => all.filter((file) => !paths.includes(file.path));

/** What the processes are put together from; authctl shows what they would do, so it knows it too. */
const parts = [
  ...["keys", "audit", "mail", "legacy", "command", "accounts"],
  ...["client", "bus", "kafka", "db", "crypto", "protocol", "config"],
];

/**
 * What each directory of src may import beside itself. lib imports nothing of ours; lib and runtime may be imported by
 * all.
 */
const below: Record<string, readonly string[]> = {
  lib: [],
  runtime: [],
  config: ["protocol"],
  protocol: [],
  kafka: [],
  bus: ["kafka"],
  crypto: ["protocol", "config"],
  db: ["protocol", "crypto"],
  client: ["bus", "kafka", "protocol"],
  command: ["accounts", "bus", "db", "crypto", "protocol"],
  accounts: ["command", "db", "crypto", "protocol"],
  audit: ["accounts", "command", "db", "crypto", "protocol", "config"],
  keys: ["audit", "db", "crypto", "kafka", "protocol", "config"],
  relay: ["accounts", "command", "bus", "kafka", "db", "crypto", "protocol"],
  mail: ["bus", "kafka", "protocol"],
  legacy: ["accounts", "command", "bus", "kafka", "db", "protocol"],
  handlers: ["accounts", "command", "db", "crypto", "protocol"],
  bridge: ["client", "protocol", "config"],
  processes: [...parts, "bridge", "handlers", "relay"],
  authctl: [...parts, "processes"],
  main: ["authctl", "processes", "protocol", "config"],
};

/** What is left to be mended: a single file that imports from above. The list only gets shorter. */
const exempt = new Set([
  "src/protocol/key-records.ts imports src/crypto/keys.ts",
  "src/client/verifier.ts imports src/crypto/access-tokens.ts", // how a token is checked, for workers and services alike
]);

const directoryOf = (path: string): string => path.split("/")[1]!.replace(/\.ts$/, "");

/** Imports of a directory that is not below the importing one. */
function upward(files: Source[]): string[] {
  return crossings(files, /^src\//).filter((line) => {
    const [from, to] = line.split(" imports ").map(directoryOf) as [string, string];
    return from !== to && to !== "lib" && (to !== "runtime" || from === "lib") && !below[from]?.includes(to);
  });
}

describe("imports point one way", () => {
  test("every directory imports only from those below it", () => {
    expect(upward(all).sort()).toEqual([...exempt].sort());
    expect([...new Set(all.map(({ path }) => directoryOf(path)))].filter((name) => below[name] === undefined)).toEqual(
      [],
    );
  });
  test("what runs commands and what they share import no driver", () => {
    expect(
      crossings(
        [...within("src/handlers/"), ...within("src/command/"), ...within("src/accounts/")],
        /^(kafkajs|slonik|pg|avsc|argon2|bcrypt|jose|@grpc|@kafkajs|@simplewebauthn)/,
      ),
    ).toEqual([]);
  });
  test("the guard sees an import from above, and one of a driver", () => {
    const bad = { path: "src/db/x.ts", text: 'import pg from "pg";\nimport { a } from "../handlers/index.ts";' };
    expect(upward([bad])).toEqual(["src/db/x.ts imports src/handlers/index.ts"]);
    expect(upward([{ path: "src/lib/x.ts", text: 'import { a } from "../runtime/log.ts";' }])).toHaveLength(1);
    expect(upward([{ path: "src/db/x.ts", text: 'import { a } from "../lib/clock.ts";' }])).toEqual([]);
    expect(crossings([bad], /^pg$/)).toEqual(["src/db/x.ts imports pg"]);
  });
});

describe("each driver has its place", () => {
  test.each([
    ["kafkajs", /^kafkajs/, /^src\/kafka\/kafkajs\//],
    ["@platformatic/kafka", /^@platformatic\/kafka$/, /^src\/kafka\/platformatic\//],
    ["slonik", /^slonik$/, /^src\/db\//],
    ["pg", /^pg$/, /^src\/relay\/relay\.ts$/],
    ["avsc", /^avsc$/, /^src\/bus\/avro\//],
    ["the registry's client", /^@kafkajs\/confluent-schema-registry(\/|$)/, /^src\/bus\/avro\/schema-store\.ts$/],
    ["argon2", /^argon2$/, /^src\/crypto\/(passwords|foreign-hashes)\.ts$/],
    ["bcrypt", /^bcrypt$/, /^src\/crypto\/foreign-hashes\.ts$/],
    ["@simplewebauthn/server", /^@simplewebauthn\//, /^src\/crypto\/passkeys\.ts$/],
    ["jose", /^jose$/, /^src\/(crypto\/|bus\/seal\/|client\/)/],
    ["pino", /^pino$/, /^src\/runtime\/log\.ts$/],
    ["prom-client", /^prom-client$/, /^src\/runtime\/metrics\.ts$/],
    ["commander", /^commander$/, /^src\/(authctl\/(parser|terminal\/help)|config\/command-line)\.ts$/],
    ["string-width", /^string-width$/, /^src\/authctl\/terminal\/table\.ts$/],
    ["mustache", /^mustache$/, /^src\/mail\/(render|template-check)\.ts$/],
    ["nodemailer", /^nodemailer(\/|$)/, /^src\/mail\/smtp\.ts$/],
    ["gRPC", /^@grpc\//, /^src\/bridge\//],
  ])("%s is used where DESIGN.md says, and is used", (_name, module, place) => {
    const users = crossings(all, module).map((line) => line.split(" ")[0]!);
    expect(users.filter((path) => !place.test(path))).toEqual([]);
    expect(users.length).toBeGreaterThan(0);
  });
  test("testcontainers starts the test stack", () => {
    expect(crossings(sources("test/support"), /^testcontainers$/).length).toBeGreaterThan(0);
  });
});

describe("one place for each thing", () => {
  test("process.env is read in src/config/read.ts only", () => {
    expect(having(except("src/config/read.ts"), /process\.env/)).toEqual([]);
    expect(having([{ path: "x", text: "process.env.A" }], /process\.env/)).toEqual(["x"]);
  });
  test("the time comes from src/lib/clock.ts only", () => {
    // The trap's own timer speaks kafkajs's Unix times; a supervisor's stopwatch times children, not requests.
    const exempt = ["src/lib/clock.ts", "src/kafka/kafkajs/patches.ts"];
    expect(
      having(except(...exempt), /Date\.now\(\)|performance\.now\(\)|new Date\(\)/).filter(
        (path) => !path.startsWith("src/processes/dev"),
      ),
    ).toEqual([]);
  });
  test("no compiler or linter is silenced", () => {
    expect(
      all
        .filter(({ text }) => /@ts-(ignore|expect-error|nocheck)|biome-ignore|\bas any\b/.test(text))
        .map(({ path }) => path),
    ).toEqual([]);
  });
  test("there is no utils, common, helpers or manager", () => {
    expect(
      all.filter(({ path }) => /(utils?|common|helpers?|managers?)\.ts$/.test(path)).map(({ path }) => path),
    ).toEqual([]);
  });
  test("every file says at its top what it is", () => {
    expect(all.filter(({ text }) => !text.startsWith("//")).map(({ path }) => path)).toEqual([]);
  });
});

describe("the gateway of tests and benches has the gateway's own messages", () => {
  const others = ({ path }: Source): boolean => path !== "test/architecture.test.ts";
  const callers = [...sources("test").filter(others), ...sources("bench"), ...sources("test", ".py")];
  /** Made a client of the bridge, by TypeScript's or Python's gRPC. */
  const clients = (files: Source[]) =>
    files.filter((file) => imports(file).includes("@grpc/proto-loader") || /^(import grpc|from grpc)/m.test(file.text));
  /** Those that do not name its definition, or also name ours, or ask the bridge itself for the messages. */
  const ofOurs = (files: Source[]) =>
    clients(files)
      .filter(
        ({ text }) =>
          !/"interop", "gateway", "auth\.proto"|Path\(__file__\)\.parent/.test(text) ||
          /"proto", "auth\.proto"|proto\/auth\.proto|ServerReflection/.test(text),
      )
      .map(({ path }) => path);

  test("and none of ours", () => {
    // It compares what the bridge tells of itself with the gateway's definition, and calls none of the methods.
    expect(ofOurs(callers)).toEqual(["test/bridge/reflection.test.ts"]);
    expect(clients(callers).map(({ path }) => path)).toEqual([
      "test/bridge/gateway.ts",
      "test/bridge/reflection.test.ts",
      "bench/gateway.ts",
      "test/interop/gateway/client.py",
    ]);
  });
  test("the guard sees a client of our definition", () => {
    const loads = 'import { load } from "@grpc/proto-loader";\n';
    const ours = { path: "test/x.ts", text: `${loads}load(join(root, "proto", "auth.proto"))` };
    const asked = { path: "test/y.ts", text: `${loads}"interop", "gateway", "auth.proto" ServerReflection` };
    const python = { path: "test/z.py", text: 'import grpc\nprotoc.main(["../../proto/auth.proto"])' };
    expect(ofOurs([ours, asked, python])).toEqual(["test/x.ts", "test/y.ts", "test/z.py"]);
  });
});

describe("what is generated is up to date", () => {
  test("generated types match the schemas, and docs/configuration.md the variables", () => {
    const output = execFileSync(process.execPath, [join(root, "tools", "generate.ts"), "--check"], {
      encoding: "utf8",
    });
    expect(output).toBe("");
  });
});

interface AvroRecord {
  type: string;
  namespace: string;
  name: string;
  doc?: string;
  sealedFields?: { name: string; doc?: string }[];
  fields: { name: string; doc?: string; type: unknown }[];
}

/** Every record of a schema, those within included. */
function records(schema: unknown): AvroRecord[] {
  if (Array.isArray(schema)) return schema.flatMap(records);
  if (typeof schema !== "object" || schema === null) return [];
  const record = schema as AvroRecord & { items?: unknown };
  if (record.type !== "record") return [...records(record.items), ...records(record.type)];
  return [record, ...record.fields.flatMap((field) => records(field.type))];
}

describe("schemas", () => {
  const schemas = [
    ...Object.values(commandSchemas).flatMap(({ request, reply }) => [request, reply]),
    ...Object.values(eventSchemas),
    mailSchema,
  ];
  const every = schemas.flatMap((schema) => records(schema));

  test("every record and every field has a doc", () => {
    const silent = every.flatMap((record) =>
      [record, ...record.fields, ...(record.sealedFields ?? [])]
        .filter((part) => !part.doc)
        .map((part) => `${record.name}.${part.name}`),
    );
    expect(silent).toEqual([]);
  });
  test("a record that is written in several schemas is the same in all of them", () => {
    const texts = new Map<string, Set<string>>();
    for (const record of every) {
      const name = `${record.namespace}.${record.name}`;
      texts.set(name, (texts.get(name) ?? new Set()).add(JSON.stringify(record)));
    }
    expect([...texts].filter(([, variants]) => variants.size > 1).map(([name]) => name)).toEqual([]);
  });
  test("every request but that for the fleet's keys has a seal, which its reply is bound to", () => {
    const bare = Object.entries(commandSchemas).filter(
      ([, { request }]) => (request as unknown as AvroRecord).sealedFields === undefined,
    );
    expect(bare.map(([topic]) => topic)).toEqual(["auth.key.list"]);
  });
  test("whatever has sealed fields has the one field sealed, at the top", () => {
    const bad = every.filter(
      (record) => (record.sealedFields !== undefined) !== record.fields.some((field) => field.name === "sealed"),
    );
    expect(bad.map((record) => record.name)).toEqual([]);
  });
  test("every administrative command is made so that whoever is refused it is audited", () => {
    const bare = (files: Source[]): string[] =>
      files
        .filter(({ text }) => /topic: "auth\.admin\./.test(text) && !/^export default defineAdminHandler\(/m.test(text))
        .map(({ path }) => path);
    expect(bare(sources("src/handlers"))).toEqual([]);
    expect(bare([{ path: "x", text: 'const a = defineHandler({ topic: "auth.admin.x" })' }])).toEqual(["x"]);
    expect(handlers.filter(({ topic, storesAnswer }) => topic.startsWith("auth.admin.") && !storesAnswer)).toEqual([]);
  });
  test("every command has a handler, and every handler a command", () => {
    expect(handlers.map((handler) => handler.topic).sort()).toEqual(Object.keys(commandSchemas).sort());
  });
});

describe("a handler", () => {
  const files = within("src/handlers/").filter(({ path }) => path !== "src/handlers/index.ts");
  const other = (some: Source[]): string[] =>
    some
      .filter(({ text }) => !/^export default define(Admin)?Handler\(/m.test(text) || /^export (?!default)/m.test(text))
      .map(({ path }) => path);
  const handler = "export default defineHandler({});";

  test("is the one thing that its file exports", () => {
    expect(other(files)).toEqual([]);
    expect(other([{ path: "x", text: `${handler}\nexport const more = 1;` }])).toEqual(["x"]);
    expect(other([{ path: "x", text: "export const handler = defineHandler({});" }])).toEqual(["x"]);
  });
  test("imports no handler: what several share is in src/accounts", () => {
    expect(crossings(files, /^src\/handlers\//)).toEqual([]);
    const bad = { path: "src/handlers/session/x.ts", text: 'import { a } from "./login.ts";' };
    expect(crossings([bad], /^src\/handlers\//)).toHaveLength(1);
  });
});

describe("the rules of the code are kept everywhere", () => {
  const project = projectSources();
  test.each(Object.entries(rules))("%s: none", (_name, rule) => {
    expect(rule(project)).toEqual([]);
  });

  const broken: Record<keyof typeof rules, Source[]> = {
    "loose files in src": [{ path: "src/loose.ts", text: "" }],
    "files over 400 lines": [{ path: "src/lib/long.ts", text: "\n".repeat(401) }],
    "comments over 120 columns": [{ path: "src/lib/wide.ts", text: `// ${"x".repeat(120)}` }],
    "he, his, him": [{ path: "src/lib/x.ts", text: "// the user and his login" }],
    "exported types declared twice": ["a", "b"].map((name) => ({
      path: `src/lib/${name}.ts`,
      text: "export interface Twice {}",
    })),
    "auth in src/kafka": [{ path: "src/kafka/x.ts", text: 'const topic = "auth.event";' }],
    "auth in src/bus": [{ path: "src/bus/x.ts", text: "const prefix = authPrefix;" }],
  };
  test.each(Object.entries(broken))("the rule about %s sees a place that breaks it", (name, places) => {
    const rule: Rule = rules[name as keyof typeof rules];
    expect(rule(places)).toHaveLength(1);
    expect(rule([])).toEqual([]);
  });

  test("the rule about long files sees one below test, too", () => {
    const long = { path: "test/lib/long.test.ts", text: "\n".repeat(401) };
    expect(rules["files over 400 lines"]([long])).toEqual(["test/lib/long.test.ts 401"]);
    expect(rules["files over 400 lines"]([{ ...long, text: "\n".repeat(400) }])).toEqual([]);
  });
});

// Where the old service's database is, by the names that services in Python give it.
import { describe, expect, test } from "@jest/globals";
import { UsageFault } from "../../../src/authctl/faults.ts";
import { oldDatabase } from "../../../src/authctl/import/table.ts";

describe("the old service's database", () => {
  test.each([
    [{ DATABASE_URL: "postgresql://u:p@db:5433/old" }, "postgresql://u:p@db:5433/old"],
    [{ DATABASE_URL: "postgres://u@db/old?sslmode=require" }, "postgresql://u@db/old?sslmode=require"],
    [{ DATABASE_URL: "postgresql+asyncpg://u:p%40@db/old" }, "postgresql://u:p%40@db/old"],
    [
      { POSTGRES_HOST: "db", POSTGRES_PORT: "5433", POSTGRES_USER: "u", POSTGRES_PASSWORD: "p@/:", POSTGRES_DB: "old" },
      "postgresql://u:p%40%2F%3A@db:5433/old",
    ],
    [{ DB_HOST: "db", DB_USER: "u", DB_PASS: "p", DB_NAME: "old" }, "postgresql://u:p@db:5432/old"],
    [{ DB_USER: "u", DB_NAME: "old" }, "postgresql://u@localhost:5432/old"],
  ])("of %j is %s", (env, url) => {
    expect(oldDatabase(env).href).toBe(url);
  });

  test.each([
    [{}],
    [{ POSTGRES_HOST: "db" }],
    [{ POSTGRES_USER: "u" }],
    [{ DATABASE_URL: "mysql://u:secret@db/old" }],
    [{ DATABASE_URL: "secret" }],
  ])("of %j is not known, and no secret is repeated", (env) => {
    const told = (): unknown => oldDatabase(env);
    expect(told).toThrow(UsageFault);
    expect(told).not.toThrow("secret");
  });
});

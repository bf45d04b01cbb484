// The scenario of each command, by its topic: auth.session.login is in session/login.scenario.ts.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Scenario } from "../support/scenarios.ts";

const suffix = ".scenario.ts";

/** @param folder where the areas lie */
async function scenariosIn(folder: string): Promise<Record<string, Scenario>> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(suffix));
  const found = files.sort().map(async (file): Promise<[topic: string, scenario: Scenario]> => {
    const { default: scenario } = (await import(join(folder, file))) as { default: Scenario };
    return [`auth.${file.slice(0, -suffix.length).replace("/", ".")}`, scenario];
  });
  return Object.fromEntries(await Promise.all(found));
}

export const scenarios = await scenariosIn(import.meta.dirname);

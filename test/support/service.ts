// A service of its own: an empty project in which npm installs the client's tarball, as it does for those who use it,
// beside the kafkajs that the service itself uses.
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "@jest/globals";
import { sharedFleet } from "./fleet-addresses.ts";
import { mustRun, pack } from "./package.ts";
import { newUser } from "./users.ts";

const sources = join(import.meta.dirname, "..", "client", "service");

export interface Service {
  folder: string;
  tarball: string;
}

/** @param name of a folder of the test's own */
export async function installService(name: string): Promise<Service> {
  const { folder: parent, tarball } = await pack(name);
  const folder = join(parent, "service");
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  await mustRun(folder, ["npm", "install", "--no-audit", "--no-fund", "kafkajs@2.2.4", tarball]);
  cpSync(sources, folder, { recursive: true });
  return { folder, tarball };
}

export interface Installed {
  path: string;
  /** npm runs a script of it when it is installed. */
  hasScript: boolean;
}

/** What npm has installed for the client: all but the service's own kafkajs. */
export function packagesOf({ folder }: Service): Installed[] {
  const lock = JSON.parse(readFileSync(join(folder, "node_modules", ".package-lock.json"), "utf8")) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path]) => path !== "node_modules/kafkajs")
    .map(([path, { hasInstallScript }]) => ({ path, hasScript: hasInstallScript === true }));
}

/** Of all files below a folder of the service, those of `without` left out. */
export function bytesOf({ folder }: Service, without: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(join(folder, without)))
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** What service/journey.js tells of itself. */
export interface Told {
  node: string;
  copies: number;
  members: number;
  changed: string[][];
  control: string[];
  refused: string;
  aborted: string;
  event: string;
  isSupplied: boolean;
  withoutPackage: string;
}

/** Runs the journey against the fleet of the test run. @returns what it told, and the login that it registered */
export async function journey({ folder }: Service, node: string): Promise<{ told: Told; login: string }> {
  const { env, prefix } = sharedFleet();
  const options = {
    brokers: env["AUTH_KAFKA_BROKERS"]!.split(","),
    registry: env["AUTH_REGISTRY_URL"],
    name: "test",
    topicPrefix: prefix,
  };
  const user = newUser("pk");
  const said = await mustRun(folder, [node, "journey.js", JSON.stringify([options, user])]);
  return { told: JSON.parse(said) as Told, login: user.login };
}

/** What the journey tells where everything is as it should be. */
export function wanted(version: string, login: string): Told {
  return {
    node: version,
    copies: 2,
    members: expect.any(Number) as unknown as number,
    changed: [[], []],
    control: expect.arrayContaining([
      "index.js.CompressionCodecs.2",
      "src/network/connection.js.prototype.send",
    ]) as unknown as string[],
    refused: "NOT_CONFIRMED",
    aborted: "gone",
    event: login,
    isSupplied: true,
    withoutPackage: expect.stringContaining("npm install @platformatic/kafka") as unknown as string,
  };
}

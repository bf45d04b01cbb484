// Finds the Java that runs Kafka and the registry, and the Maven that fetches them.
// Promises one sentence that says what to install where one is missing or too old. JAVA_HOME wins over PATH, as it does
// for Maven.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { StackFailure } from "./failure.ts";

/** Kafka 4 and the registry are compiled for it. */
const OLDEST_JAVA = 17;

const run = promisify(execFile);

/** @returns the program to start */
export async function findJava(): Promise<string> {
  const home = process.env["JAVA_HOME"];
  const inHome = home ? join(home, "bin", "java") : "";
  const java = existsSync(inHome) ? inHome : "java";
  const version = majorVersion(await versionText(java));
  if (version >= OLDEST_JAVA) return java;
  throw new StackFailure(
    `Java ${version} is too old for Kafka 4: install Java 17 or newer, or let JAVA_HOME point to one.`,
  );
}

/** Java prints its version to stderr; macOS has a `java` that only says that there is none. */
async function versionText(java: string): Promise<string> {
  try {
    return (await run(java, ["-version"])).stderr;
  } catch {
    throw new StackFailure(
      "Java was not found: install Java 17 or newer (a JRE is enough) and put `java` on PATH or set JAVA_HOME.",
    );
  }
}

/** "1.8.0_402" is 8, "17.0.15" is 17, "25-ea" is 25. */
export function majorVersion(text: string): number {
  const [, first = "0", second = "0"] = /version "(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return Number(first === "1" ? second : first);
}

export async function findMaven(): Promise<string> {
  try {
    await run("mvn", ["-v"]);
    return "mvn";
  } catch {
    throw new StackFailure(
      "Maven was not found: install Maven 3.8 or newer and put `mvn` on PATH; it fetches Kafka and the registry, once.",
    );
  }
}

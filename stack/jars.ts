// Brings Kafka and the registry from Maven to stack/.jars/KEY, where KEY stands for pom.xml's content. Promises: a
// folder that is there is complete (filled beside it, then renamed), so a killed download is done again; two starts at
// once fetch once; changed versions are fetched at the next start and the former ones removed. Maven is needed only
// when fetching.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { StackFailure } from "./failure.ts";
import { findMaven } from "./java.ts";
import { waitForLock } from "./lock.ts";
import { lastLines, logFile, logSince, logSize } from "./logs.ts";
import type { Launch, Processes } from "./processes.ts";
import { type Report, whileSaying } from "./progress.ts";

/** Later versions of the plugin ask for the registry's parent POM, which not every mirror has. */
const PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:2.8";
/** 54 MB for Kafka, twice 104 MB for the registry while it is unpacked, as much again in Maven's own cache. */
const NEEDED_BYTES = 600_000_000;

export interface Jars {
  /** A class path that Java expands. */
  readonly kafka: string;
  readonly registry: string;
}

export interface JarsPlace {
  /** The package's stack folder: pom.xml is there, .jars will be. */
  readonly stack: string;
  /** The data folder, for Maven's log. */
  readonly dir: string;
  readonly processes: Processes;
  readonly report: Report;
}

export async function bringJars(place: JarsPlace): Promise<Jars> {
  const pom = readFileSync(join(place.stack, "pom.xml"), "utf8");
  const key = createHash("sha256").update(pom).digest("hex").slice(0, 12);
  const home = join(place.stack, ".jars");
  const found = jarsIn(join(home, key));
  if (found !== undefined) return found;
  mkdirSync(home, { recursive: true });
  const lock = await waitForLock(join(home, "lock"), () => true);
  try {
    if (jarsIn(join(home, key)) === undefined) await fetchInto(join(home, key), pom, place);
  } finally {
    if ("release" in lock) lock.release();
  }
  return jarsIn(join(home, key)) as Jars;
}

function jarsIn(folder: string): Jars | undefined {
  try {
    const registry = readdirSync(join(folder, "registry")).find((name) => name.endsWith("-runner.jar"));
    if (registry === undefined) return undefined;
    return { kafka: join(folder, "kafka", "*"), registry: join(folder, "registry", registry) };
  } catch {
    return undefined;
  }
}

/** Whatever else lies there is of another version or half done: the lock is ours. */
async function fetchInto(folder: string, pom: string, place: JarsPlace): Promise<void> {
  const home = join(place.stack, ".jars");
  const mvn = await findMaven();
  for (const name of readdirSync(home)) {
    if (!name.startsWith("lock")) rmSync(join(home, name), { recursive: true, force: true });
  }
  const { bavail, bsize } = statfsSync(home);
  if (bavail * bsize < NEEDED_BYTES) {
    throw new StackFailure(
      `${home} has ${Math.round((bavail * bsize) / 1e6)} MB left, but Kafka and the registry need ${NEEDED_BYTES / 1e6} MB: make room there.`,
    );
  }
  const unfinished = `${folder}.unfinished`;
  mkdirSync(join(unfinished, "registry"), { recursive: true });
  await runMaven(commands(mvn, join(place.stack, "pom.xml"), unfinished, pom), place);
  renameSync(unfinished, folder);
}

function commands(mvn: string, file: string, folder: string, pom: string): Launch[] {
  const version = /<registry\.version>(.+)<\/registry\.version>/.exec(pom)?.[1];
  const archive = `apicurio-registry-app-${version}-all.tar.gz`;
  const common = ["-B", "-f", file];
  return [
    {
      file: mvn,
      args: [
        ...common,
        `${PLUGIN}:copy-dependencies`,
        "-DincludeScope=runtime",
        `-DoutputDirectory=${join(folder, "kafka")}`,
      ],
    },
    {
      file: mvn,
      args: [
        ...common,
        `${PLUGIN}:copy`,
        `-Dartifact=io.apicurio:apicurio-registry-app:${version}:tar.gz:all`,
        `-DoutputDirectory=${folder}`,
      ],
    },
    { file: "tar", args: ["-xzf", join(folder, archive), "-C", join(folder, "registry"), "--no-same-owner"] },
    { file: "rm", args: [join(folder, archive)] },
  ];
}

async function runMaven(launches: readonly Launch[], place: JarsPlace): Promise<void> {
  const file = logFile(place.dir, "maven");
  const from = logSize(file);
  const files = () => logSince(file, from).split("Downloaded from").length - 1;
  const what = "fetching Kafka and the registry with Maven (160 MB, once)";
  await whileSaying({ what, report: place.report, detail: () => `, ${files()} files fetched` }, async () => {
    for (const launch of launches) {
      const how = await run(launch, place.processes);
      if (how === "exit 0") continue;
      const errors = logSince(file, from)
        .split("\n")
        .filter((line) => line.startsWith("[ERROR]"));
      throw new StackFailure(
        `Maven could not fetch Kafka and the registry (${how}): is there a way to its repository? ${file} says:\n${lastLines(errors.slice(0, 3).join("\n"))}`,
      );
    }
  });
}

function run(launch: Launch, processes: Processes): Promise<string> {
  const child = processes.spawn("maven", launch);
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(code === null ? `killed by ${signal}` : `exit ${code}`));
  });
}

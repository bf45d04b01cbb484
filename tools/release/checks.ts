// What has to be true before a release is made. Each check tells what is wrong and what to do, and all are told at
// once.
import { parse } from "yaml";
import type { Checkout, GitState } from "./checkout.ts";
import { addRelease, type Current, formatReleased, type Released, releasedFile } from "./released.ts";

/** @returns a sentence for each thing that is wrong */
export function faultsOf(checkout: Checkout, current: Current): string[] {
  return [
    ...treeFaults(checkout.git, current.version),
    ...versionFaults(checkout, current.version),
    ...changelogFaults(checkout.read("CHANGELOG.md") ?? "", current.version),
    ...upgradingFaults(checkout.read("docs/upgrading.md") ?? "", current.version),
    ...releasedFaults(checkout, current),
  ];
}

function treeFaults({ commit, changes, tags }: GitState, version: string): string[] {
  const faults: string[] = [];
  if (changes.length > 0) {
    const shown = changes.slice(0, 5).map((line) => line.trim());
    const more = changes.length > shown.length ? ` and ${changes.length - shown.length} more` : "";
    faults.push(`The tree has changes that are not committed: ${shown.join(", ")}${more}.`);
  }
  const tagged = tags.get(`v${version}`);
  if (tagged !== undefined && tagged !== commit)
    faults.push(`The tag v${version} names ${short(tagged)}, and this is ${short(commit)}.`);
  return faults;
}

const short = (commit: string): string => commit.slice(0, 12);

/** Every file that states the version. */
function versionFaults({ read }: Checkout, version: string): string[] {
  const json = (path: string): Partial<Manifest> => JSON.parse(read(path) ?? "{}") as Partial<Manifest>;
  const lock = json("package-lock.json");
  const asyncapi = parse(read("docs/asyncapi.yaml") ?? "") as { info?: { version?: string } } | null;
  const stated: [string, string | undefined][] = [
    ["package-lock.json", lock.version],
    ['package-lock.json, packages[""]', lock.packages?.[""]?.version],
    ["clients/typescript/package.json", json("clients/typescript/package.json").version],
    ["docs/asyncapi.yaml, info.version", asyncapi?.info?.version],
  ];
  const faults = stated
    .filter(([, found]) => found !== version)
    .map(([where, found]) => `package.json has version ${version}, and ${where} has ${found ?? "none"}.`);
  if (!/^\d+\.\d+\.\d+$/.test(version))
    faults.unshift(`package.json: the version ${version} is not of the form 1.2.3.`);
  return faults;
}

interface Manifest {
  version: string;
  packages: Record<string, { version?: string }>;
}

function changelogFaults(changelog: string, version: string): string[] {
  const sections = new Map<string, { heading: string; text: string }>();
  for (const section of changelog.split(/^## /m).slice(1)) {
    const [heading = "", ...rest] = section.split("\n");
    sections.set(heading.split(" ")[0]!, { heading, text: rest.join("\n").trim() });
  }
  const faults: string[] = [];
  const own = sections.get(version);
  const date = own?.heading.slice(version.length).match(/^ - (\d{4}-\d{2}-\d{2})$/)?.[1];
  if (date === undefined || Number.isNaN(Date.parse(date)))
    faults.push(`CHANGELOG.md has no section "## ${version} - YYYY-MM-DD" with the date of the release.`);
  else if (own?.text === "") faults.push(`CHANGELOG.md says nothing under "## ${own.heading}".`);
  if (sections.get("Unreleased")?.text)
    faults.push(`CHANGELOG.md has entries under "## Unreleased": they belong to ${version}, or to a later version.`);
  return faults;
}

/** A release that may break something says so, or says that it breaks nothing. */
function upgradingFaults(upgrading: string, version: string): string[] {
  const isPatch = !version.endsWith(".0");
  if (isPatch || upgrading.split("\n").includes(`## ${version}`)) return [];
  return [`docs/upgrading.md has no section "## ${version}".`];
}

/** One version is one commit, so that it can be made again. */
function releasedFaults({ git, read }: Checkout, current: Current): string[] {
  const { commit, releaseCommit } = git;
  const stored = JSON.parse(read(releasedFile) ?? "{}") as Released;
  try {
    if (formatReleased(addRelease(stored, current)) !== formatReleased(stored))
      return [`${releasedFile} is not of ${current.version}: run \`npm run release-schemas\` and commit it.`];
  } catch (error) {
    return [(error as Error).message];
  }
  if (commit === releaseCommit) return [];
  return [
    `${current.version} was released by commit ${short(releaseCommit)}, which last changed ${releasedFile}, and this is ` +
      `${short(commit)}: check that commit out to make it again, or raise the version.`,
  ];
}

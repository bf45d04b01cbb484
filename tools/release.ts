// `npm run release`: makes the files of a release from its commit, in release/. docs/releasing.md says how a release is
// made; `npm run release -- --help` lists the options.
// Promises: before anything is written everything is checked, and every fault is told at once. release/ has a whole
// release or stays as it was.
import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { readCheckout } from "./release/checkout.ts";
import { faultsOf } from "./release/checks.ts";
import { type ReleaseSource, writeChecksums, writeClient, writeSboms, writeServer } from "./release/files.ts";
import { buildImage, isDockerThere, noDocker, writeImage } from "./release/image.ts";
import { run } from "./release/program.ts";
import { readCurrent } from "./release/released.ts";

interface Options {
  check?: true;
  image: boolean;
  tag?: true;
}

const root = join(import.meta.dirname, "..");
const out = join(root, "release");

const program = new Command("npm run release --")
  .description(
    "Makes a release from its commit, in release/: the client's package, the server's archive and image, an SBOM of " +
      "each, and checksums. Refuses where the checkout is not ready for it, and says why. docs/releasing.md has the steps.",
  )
  .option("--check", "only check; write nothing")
  .option("--no-image", "leave the image out; needed where there is no Docker")
  .option("--tag", "make the annotated git tag when all is written; pushing it is left to you")
  .action(release);

async function release({ check, image, tag }: Options): Promise<void> {
  const [checkout, current] = [await readCheckout(root), await readCurrent(root)];
  const faults = faultsOf(checkout, current);
  if (image && !(await isDockerThere(root))) faults.push(noDocker);
  if (faults.length > 0) {
    console.error([`${current.version} cannot be released:`, ...faults.map((fault) => `- ${fault}`)].join("\n"));
    process.exitCode = 1;
    return;
  }
  const { version } = current;
  const { commit, committedAt } = checkout.git;
  if (check) return console.log(`${version} can be released from ${commit}.`);
  const source = { root, version, commit, committedAt: new Date(committedAt * 1000) };
  for (const name of await writeRelease(source, image)) console.log(describe(name));
  await finish(source, { isTagged: checkout.git.tags.has(`v${version}`), tag: tag === true });
}

/** @returns names of the files */
async function writeRelease(source: ReleaseSource, withImage: boolean): Promise<string[]> {
  const partial = `${out}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial);
  try {
    const names = [await writeClient(source, partial), await writeServer(source, partial)];
    if (withImage) {
      const tag = `authfleet:${source.version}`;
      await buildImage(source, join(partial, names[1]!), { tag });
      names.push(await writeImage(tag, { version: source.version, out: partial }));
    }
    names.push(...(await writeSboms(source, partial)));
    writeChecksums(partial);
    rmSync(out, { recursive: true, force: true });
    renameSync(partial, out);
    return [...names, "SHA256SUMS"];
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

const describe = (name: string): string => `release/${name} (${Math.ceil(statSync(join(out, name)).size / 1024)} KiB)`;

async function finish({ version, commit }: ReleaseSource, { isTagged, tag }: { isTagged: boolean; tag: boolean }) {
  if (isTagged) return;
  const args = ["tag", "--annotate", `v${version}`, "--message", `authfleet ${version}`, commit];
  if (tag) {
    await run("git", args, { cwd: root });
    console.log(`Made the tag v${version}. To publish it: git push origin v${version}`);
  } else console.log(`To tag it: git tag --annotate v${version} --message "authfleet ${version}" ${commit}`);
}

try {
  await program.parseAsync();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

// The image of a release, built from the server's archive, so that nothing gets into it that is not committed. Its
// labels are those of the Dockerfile and what only a release knows: version, commit and time.
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { ReleaseSource } from "./files.ts";
import { run } from "./program.ts";

export const noDocker =
  "No Docker engine answers `docker info`: start one, or leave the image out with `npm run release -- --no-image`.";

export async function isDockerThere(root: string): Promise<boolean> {
  try {
    return (await run("docker", ["info", "--format", "{{.ServerVersion}}"], { cwd: root })).trim() !== "";
  } catch {
    return false;
  }
}

/** @returns labels of https://specs.opencontainers.org/image-spec/annotations, beside those in the Dockerfile */
export function imageLabels({ root, version, commit, committedAt }: ReleaseSource): Record<string, string> {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { repository?: { url: string } };
  const source = manifest.repository?.url.replace(/^git\+/, "");
  return {
    "org.opencontainers.image.version": version,
    "org.opencontainers.image.revision": commit,
    "org.opencontainers.image.created": committedAt.toISOString(),
    ...(source !== undefined && { "org.opencontainers.image.source": source }),
  };
}

interface BuildOptions {
  tag: string;
  /** With what docker finds its engine. */
  env?: NodeJS.ProcessEnv;
}

/** @param archive the server's */
export async function buildImage(source: ReleaseSource, archive: string, { tag, env }: BuildOptions): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), "authfleet-image-"));
  try {
    await run("tar", ["-xzf", archive, "-C", context, "--strip-components=1"], { cwd: context });
    const labels = Object.entries(imageLabels(source)).flatMap(([name, value]) => ["--label", `${name}=${value}`]);
    await run("docker", ["build", ...labels, "--tag", tag, context], { cwd: context, env });
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

interface SaveOptions {
  version: string;
  /** The folder. */
  out: string;
  env?: NodeJS.ProcessEnv;
}

/** For `docker load`. @returns the file's name */
export async function writeImage(tag: string, { version, out, env }: SaveOptions): Promise<string> {
  const docker = (...args: string[]): Promise<string> => run("docker", args, { cwd: out, env });
  const platform = await docker("image", "inspect", "--format", "{{.Os}}-{{.Architecture}}", tag);
  const name = `authfleet-image-${version}-${platform.trim()}.tar.gz`;
  const tar = join(out, "image.tar");
  await docker("save", "--output", tar, tag);
  await pipeline(createReadStream(tar), createGzip(), createWriteStream(join(out, name)));
  rmSync(tar);
  return name;
}

// The files of a release but the image. They depend on the commit and the versions of npm and git, and on nothing else:
// two runs write the same bytes. npm sets the times within a tarball itself, and git takes those of its archive from
// the commit.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { npmEnvironment, run } from "./program.ts";

export interface ReleaseSource {
  /** Of the checkout. */
  root: string;
  version: string;
  commit: string;
  committedAt: Date;
}

/** What the client's package is: `npm pack` builds it. @returns the file's name */
export async function writeClient({ root, version }: ReleaseSource, out: string): Promise<string> {
  const cwd = join(root, "clients", "typescript");
  await run("npm", ["pack", "--pack-destination", out], { cwd, env: npmEnvironment() });
  return `authfleet-client-${version}.tgz`;
}

/** The server: everything in the commit. @returns the file's name */
export async function writeServer({ root, version, commit }: ReleaseSource, out: string): Promise<string> {
  const name = `authfleet-${version}.tar.gz`;
  const tar = join(out, "server.tar");
  const mask = ["-c", "tar.umask=0022"];
  await run("git", [...mask, "archive", `--prefix=authfleet-${version}/`, "-o", tar, commit], { cwd: root });
  writeFileSync(join(out, name), gzipSync(readFileSync(tar), { level: 9 }));
  rmSync(tar);
  return name;
}

/** What the server runs with, and what the client is tried with; both by the lock file. @returns the files' names */
export async function writeSboms(source: ReleaseSource, out: string): Promise<string[]> {
  return [
    await writeSbom(source, out, { project: ".", type: "application" }),
    await writeSbom(source, out, { project: "clients/typescript", type: "library" }),
  ];
}

interface SbomOf {
  /** Folder of its package.json. */
  project: string;
  type: "application" | "library";
}

interface CycloneDx {
  serialNumber: string;
  metadata: { timestamp: string };
}

/**
 * The lock file of the root knows the packages of every project here. npm takes out what this one does not need,
 * without asking a registry. `npm sbom --omit dev` alone would also leave out what a package for development needs as
 * well: 66 of the server's 181 packages, pg among them.
 */
async function writeSbom({ root, version, committedAt }: ReleaseSource, out: string, of: SbomOf): Promise<string> {
  const { devDependencies: _, ...manifest } = JSON.parse(readFileSync(join(root, of.project, "package.json"), "utf8"));
  const { name } = manifest as { name: string };
  const parent = mkdtempSync(join(tmpdir(), "authfleet-sbom-"));
  try {
    const cwd = join(parent, name); // npm names the SBOM's subject after the folder
    mkdirSync(cwd);
    writeFileSync(join(cwd, "package.json"), JSON.stringify(manifest));
    cpSync(join(root, "package-lock.json"), join(cwd, "package-lock.json"));
    const npm = (...args: string[]) => run("npm", args, { cwd, env: npmEnvironment() });
    await npm("install", "--package-lock-only", "--offline", "--ignore-scripts", "--no-audit", "--no-fund");
    const text = await npm("sbom", "--package-lock-only", "--sbom-format", "cyclonedx", "--sbom-type", of.type);
    const file = `${name}-${version}.cdx.json`;
    writeFileSync(join(out, file), withoutChance(text, committedAt));
    return file;
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

/** Its time is the commit's, and its serial number, which npm takes by chance, follows from the rest. */
function withoutChance(text: string, at: Date): string {
  const sbom = JSON.parse(text) as CycloneDx;
  sbom.metadata.timestamp = at.toISOString();
  sbom.serialNumber = "";
  const digits = createHash("sha256").update(JSON.stringify(sbom)).digest("hex");
  const parts = [digits.slice(0, 8), digits.slice(8, 12), `8${digits.slice(13, 16)}`, `8${digits.slice(17, 20)}`];
  sbom.serialNumber = `urn:uuid:${[...parts, digits.slice(20, 32)].join("-")}`; // RFC 9562, version 8
  return `${JSON.stringify(sbom, null, 2)}\n`;
}

/** Of all files there, as `sha256sum -c` reads it. */
export function writeChecksums(out: string): void {
  const sums = readdirSync(out)
    .sort()
    .map(
      (name) =>
        `${createHash("sha256")
          .update(readFileSync(join(out, name)))
          .digest("hex")}  ${name}\n`,
    );
  writeFileSync(join(out, "SHA256SUMS"), sums.join(""));
}

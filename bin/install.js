// Runs `npm ci` where node_modules is not what package-lock.json says, so that `npm start` may be the first command
// after a clone. Promises: nothing is touched when everything is installed, also by the user's own `npm ci`; two
// commands started at once install once; a killed install is repeated, because the stamp is written last.
// Runs on Node 20.20, so nothing newer and no package may be used here.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";

/** What the user can put right: its message is the one sentence to show. */
export class Refusal extends Error {}

const PROGRESS_MS = 5000;

/** The packages for development too: the Node that runs everything is one of them. @param {string} root */
export async function ensureInstalled(root) {
  if (installed(root)) return;
  const release = await lock(join(root, ".install.lock"));
  try {
    if (!installed(root)) await install(root);
  } finally {
    release();
  }
}

function installed(root) {
  const stamp = join(root, "node_modules", ".auth-install-stamp");
  const wanted = fingerprint(root);
  if (read(stamp) === wanted) return true;
  if (isAnyMissing(root)) return false;
  writeStamp(stamp, wanted);
  return true;
}

/** Also the platform: packages bring binaries, and a folder may be shared between machines. */
function fingerprint(root) {
  const lockfile = readFileSync(join(root, "package-lock.json"));
  return `${createHash("sha256").update(lockfile).digest("hex")} ${process.platform}-${process.arch}\n`;
}

/** npm notes in a hidden lock file, as its last act, what it has installed. */
function isAnyMissing(root) {
  const noted = read(join(root, "node_modules", ".package-lock.json"));
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const present = noted === undefined ? {} : JSON.parse(noted).packages;
  return Object.entries(wanted).some(
    ([path, entry]) => path !== "" && !entry.optional && present[path]?.version !== entry.version,
  );
}

function writeStamp(stamp, text) {
  try {
    writeFileSync(stamp, text);
  } catch {
    // A read-only checkout works without: what is installed is compared at every start then.
  }
}

async function install(root) {
  console.error(
    "Installing the packages of package-lock.json with `npm ci` (first start or changed packages; about a minute) ...",
  );
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1000);
  const timer = setInterval(() => console.error(`  npm ci is at work, ${seconds()} s`), PROGRESS_MS);
  const code = await npmCi(root).finally(() => clearInterval(timer));
  if (code !== 0) {
    throw new Refusal(`\`npm ci\` failed (exit ${code}): put right what it says above, then run the command again.`);
  }
  writeStamp(join(root, "node_modules", ".auth-install-stamp"), fingerprint(root));
  console.error(`Installed in ${seconds()} s.`);
}

/** npm's own output goes to stderr, so that a command's stdout stays its own. */
function npmCi(root) {
  const child = spawn("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  return new Promise((resolve, reject) => {
    child.once("error", () =>
      reject(new Refusal("npm was not found on PATH: install Node 20.20 or newer together with npm.")),
    );
    child.once("exit", (code, signal) => resolve(code ?? signal));
  });
}

/**
 * A folder that holds one file named after its owner. It is moved into place as a whole, and a move onto a folder that
 * is not empty fails. So a lock never lacks its owner, and of two processes that take over from a dead one, one
 * succeeds.
 */
async function lock(folder) {
  const owner = `${process.pid}-${startTime(process.pid)}`;
  const mine = `${folder}.${process.pid}`;
  let said = false;
  prepare(mine, owner);
  while (!moved(mine, folder)) {
    if (removeDead(folder)) continue;
    if (!said) console.error("Waiting for another command that installs the packages ...");
    said = true;
    await pause(200);
  }
  return () => {
    rmSync(join(folder, owner), { force: true });
    rmdirSync(folder);
  };
}

function removeDead(folder) {
  const dead = list(folder).filter((owner) => startTime(owner.split("-")[0]) !== owner.split("-")[1]);
  for (const owner of dead) rmSync(join(folder, owner), { force: true });
  return dead.length > 0;
}

function prepare(folder, owner) {
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, owner), "");
  } catch (error) {
    throw new Refusal(`The project folder cannot be written (${error.code}): give this user the right to write there.`);
  }
}

function moved(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (error.code === "ENOTEMPTY" || error.code === "EEXIST") return false;
    throw error;
  }
}

/** When the kernel started a process, so that a reused number is not its former owner; elsewhere: whether it lives. */
function startTime(pid) {
  const stat = read(`/proc/${pid}/stat`);
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  if (process.platform === "linux") return "gone";
  try {
    process.kill(Number(pid), 0);
    return "alive";
  } catch {
    return "gone";
  }
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function list(folder) {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith("."));
  } catch {
    return [];
  }
}

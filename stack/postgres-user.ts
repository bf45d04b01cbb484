// Under which user PostgreSQL runs. It refuses to run as root, so root starts it as the system user `postgres`, made
// when missing. That user may be unable to reach a checkout or data folder below a private one (mode 0700): then it
// gets the one capability to read and search past file modes, for this process alone. Changing the modes of the user's
// folders instead would open them to everybody.
import { execFileSync, spawnSync } from "node:child_process";
import { StackFailure } from "./failure.ts";

const SYSTEM_USER = "postgres";

/**
 * The weakest that works is taken: the second also covers programs without read and execute permission for others
 * (umask 077).
 */
const CAPABILITIES = ["dac_read_search", "dac_override"];

interface Program {
  readonly file: string;
  readonly args: string[];
  readonly uid?: number;
  readonly gid?: number;
}

export interface Identity {
  /** Who must own the data; undefined: whoever we are. */
  readonly uid?: number;
  readonly gid?: number;
  wrap(file: string, args: string[]): Program;
}

/** @param initdb it must be able to run, with the binaries beside it @param dir a folder it must be able to reach */
export function findIdentity(initdb: string, dir: string): Identity {
  if (process.getuid?.() !== 0) return { wrap: (file, args) => ({ file, args }) };
  const { uid, gid } = systemUser();
  const plain: Identity = { uid, gid, wrap: (file, args) => ({ file, args, uid, gid }) };
  const candidates = [plain, ...CAPABILITIES.map((capability) => privileged(capability, { uid, gid }))];
  const fit = candidates.find((identity) => canRun(identity, initdb, dir));
  if (fit !== undefined) return fit;
  throw new StackFailure(
    `The user ${SYSTEM_USER} cannot reach ${dir} or ${initdb}: allow others to pass the folders above them (chmod o+x), or start as a user other than root.`,
  );
}

/** no_setuid_fixup: initdb asks access(), which ignores the capabilities of users other than root without it. */
function privileged(capability: string, { uid, gid }: { uid: number; gid: number }): Identity {
  const options = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--clear-groups",
    "--securebits=+no_setuid_fixup",
    `--inh-caps=+${capability}`,
    `--ambient-caps=+${capability}`,
  ];
  return { uid, gid, wrap: (file, args) => ({ file: "setpriv", args: [...options, "--", file, ...args] }) };
}

/**
 * Tried for real: folder modes, read-only mounts, bounding sets and a missing setpriv all answer here. `--show` makes
 * initdb look for the server and the files it needs, and do nothing.
 */
function canRun(identity: Identity, initdb: string, dir: string): boolean {
  const { file, args, ...how } = identity.wrap(initdb, ["--show", "-D", dir]);
  if (spawnSync(file, args, { ...how, cwd: "/", stdio: "ignore" }).status !== 0) return false;
  const reach = identity.wrap("/bin/sh", ["-c", 'cd "$1"', "sh", dir]);
  const { file: shell, args: shellArgs, ...same } = reach;
  return spawnSync(shell, shellArgs, { ...same, cwd: "/", stdio: "ignore" }).status === 0;
}

function systemUser(): { uid: number; gid: number } {
  const known = lookUp();
  if (known !== undefined) return known;
  try {
    execFileSync(
      "useradd",
      ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
      { stdio: "ignore" },
    );
  } catch {
    // Judged by whether the user is there now: another start may have made it in the same moment.
  }
  const made = lookUp();
  if (made !== undefined) return made;
  throw new StackFailure(
    `PostgreSQL does not run as root and the user ${SYSTEM_USER} could not be made: start as another user, or make one named ${SYSTEM_USER}.`,
  );
}

function lookUp(): { uid: number; gid: number } | undefined {
  const id = (flag: string) =>
    Number.parseInt(
      execFileSync("id", [flag, SYSTEM_USER], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
      10,
    );
  try {
    return { uid: id("-u"), gid: id("-g") };
  } catch {
    return undefined;
  }
}

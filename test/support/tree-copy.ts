// A copy of the project's tree, with what is not committed yet, as a repository of its own with one commit. It uses the
// packages that are installed here.
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

export interface TreeCopy {
  folder: string;
  git(...args: string[]): string;
  /** @param at when, for git; default: now */
  commit(message: string, at?: string): void;
}

export function treeCopy(folder: string): TreeCopy {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  for (const path of listed.split("\0").filter((each) => each !== "")) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(root, path), join(folder, path));
  }
  const copy = inRepository(folder);
  copy.git("init", "--quiet");
  usePackages(copy.folder);
  copy.commit("The tree");
  return copy;
}

export function inRepository(folder: string): TreeCopy {
  const git = (...args: string[]): string => gitIn(folder, args);
  return {
    folder,
    git,
    commit(message, at) {
      git("add", "--all");
      const env = at === undefined ? {} : { GIT_AUTHOR_DATE: at, GIT_COMMITTER_DATE: at };
      gitIn(folder, ["commit", "--quiet", "--message", message], env);
    },
  };
}

function gitIn(folder: string, args: string[], env: NodeJS.ProcessEnv = {}): string {
  const user = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
  const options = { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 28, env: { ...process.env, ...env } } as const;
  return execFileSync("git", [...user, ...args], options);
}

/** A repository sees a link of that name as a file: it is no folder. */
export function usePackages(folder: string): void {
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  appendFileSync(join(folder, ".git", "info", "exclude"), "node_modules\n");
}

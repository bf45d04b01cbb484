// What a release is made of: the files of a checkout and what git knows of them.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./program.ts";
import { releasedFile } from "./released.ts";

export interface GitState {
  /** Of HEAD. */
  commit: string;
  /** When HEAD was committed, in seconds. */
  committedAt: number;
  /** Lines of `git status --porcelain`. */
  changes: string[];
  /** The commit of the last release: it last changed schemas/released.json. */
  releaseCommit: string;
  /** By tag, the commit. */
  tags: Map<string, string>;
}

export interface Checkout {
  git: GitState;
  /** @returns undefined where there is no such file */
  read(path: string): string | undefined;
}

export async function readCheckout(root: string): Promise<Checkout> {
  const git = (...args: string[]): Promise<string> => run("git", args, { cwd: root });
  const [commit = "", committedAt] = (await git("show", "--no-patch", "--format=%H %ct", "HEAD")).trim().split(" ");
  return {
    git: {
      commit,
      committedAt: Number(committedAt),
      changes: lines(await git("status", "--porcelain", "--untracked-files=normal")),
      releaseCommit: (await git("log", "-1", "--format=%H", "--", releasedFile)).trim(),
      tags: tagsIn(await git("for-each-ref", "--format=%(refname:short) %(objectname) %(*objectname)", "refs/tags")),
    },
    read: (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined),
  };
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

/** An annotated tag is an object of its own, which names the commit. */
function tagsIn(refs: string): Map<string, string> {
  return new Map(
    lines(refs).map((line) => {
      const [tag = "", object = "", commit = ""] = line.split(" ");
      return [tag, commit || object];
    }),
  );
}

// authctl completion: what the tab key offers in a real bash; the scripts for zsh and fish by their text.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { commands } from "../../../src/authctl/commands.ts";
import { called } from "../authctl.ts";

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "completion-"));
  writeFileSync(join(folder, "users.jsonl"), "");
  writeFileSync(join(folder, "authctl.bash"), (await called(["completion", "bash"])).stdout);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What bash offers where the cursor is behind the last word. */
function offered(...words: string[]): string[] {
  const script = `
    source ./authctl.bash && source ./authctl.bash
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _authctl 2>/dev/null
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ["--noprofile", "--norc", "-c", script, "bash", "authctl", ...words];
  return execFileSync("bash", args, { cwd: folder, encoding: "utf8" }).split("\n").filter(Boolean);
}

describe("in bash the tab key offers", () => {
  test.each<[string, string[]]>([
    ["us", ["users"]],
    ["users sh", ["show"]],
    ["users ban ada --re", ["--reason"]],
    ["--json users unl", ["unlock"]],
    ["topics s", ["serving"]],
    ["completion f", ["fish"]],
    ["users find --state b", ["banned"]],
    ["audit verify --state --h", ["--heads", "--help"]],
    ["import us", ["users.jsonl"]],
    ["users export ada --output us", ["users.jsonl"]],
    ["help dl", ["dlq"]],
    ["users frobnicate x", []],
  ])("for %j: %j", (line, words) => {
    expect(offered(...line.split(" "))).toEqual(words);
  });

  test("every command by its words, and its options", () => {
    for (const { name, options = {} } of commands) {
      const words = name.split(" ");
      expect(offered(...words)).toContain(words.at(-1));
      expect(offered(...words, "--")).toEqual(
        expect.arrayContaining([...Object.keys(options).map((option) => `--${option}`), "--json", "--help"]),
      );
    }
  }, 30_000);

  test("nothing for the value of an option that it cannot know", () => {
    expect(offered("users", "ban", "ada", "--reason", "")).toEqual([]);
    expect(offered("users", "ban", "ada", "")).toContain("--reason");
  });

  test("what stands on the line is not evaluated, and the control: in another script it would be", () => {
    const hostile = ["users", "$(touch evaluated)", "`touch evaluated`", "x"];
    const made = (): boolean => execFileSync("ls", { cwd: folder, encoding: "utf8" }).includes("evaluated");
    offered(...hostile);
    expect(made()).toBe(false);
    execFileSync("bash", ["-c", `eval "echo ${hostile.join(" ")}"`], { cwd: folder });
    expect(made()).toBe(true);
  });
});

test.each(["zsh", "fish"])("the script for %s names every command and option", async (shell) => {
  const { code, stdout } = await called(["completion", shell]);
  expect(code).toBe(0);
  for (const { name, options = {} } of commands)
    for (const word of [...name.split(" "), ...Object.keys(options)]) expect(stdout).toContain(word);
});

test("is one JSON document with --json", async () => {
  const { stdout } = await called(["completion", "fish", "--json"]);
  expect(JSON.parse(stdout)).toEqual({ shell: "fish", script: expect.stringContaining("complete -c authctl") });
});

test("is refused for another shell", async () => {
  const { code, stderr } = await called(["completion", "tcsh"]);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: "There are scripts for bash, zsh, fish, not for tcsh.\nUsage: authctl completion bash|zsh|fish\n",
  });
});

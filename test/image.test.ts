// The image, as far as its Dockerfile says it without being built: it runs as a user without rights, named by number, and compose goes by the same.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";

const text = (file: string): string => readFileSync(join(import.meta.dirname, "..", file), "utf8");

/** Who the last runner runs as; undefined: root. */
function userOf(dockerfile: string): string | undefined {
  const last = dockerfile.slice(dockerfile.search(/^FROM (?![\s\S]*^FROM )/m));
  return [...last.matchAll(/^USER\s+(\S+)/gm)].at(-1)?.[1];
}

describe("the image", () => {
  test("runs as user and group 1000, by number", () => {
    expect(userOf(text("Dockerfile"))).toBe("1000:1000");
    expect(userOf("FROM a\nUSER 1000:1000\nFROM b\n")).toBeUndefined(); // the control: another runner's user is not this one's
    expect(userOf("FROM a\nUSER node\nCOPY x y\nUSER root\n")).toBe("root");
  });

  test("has every directory that the program reads while it runs", () => {
    const read = ["migrations", "proto", "lists", "templates"];
    const copied = [...text("Dockerfile").matchAll(/^COPY (\w+) \1$/gm)].map(([, directory]) => directory);
    expect(copied).toEqual(expect.arrayContaining(read));
    expect(copied).not.toContain("test"); // the control: not everything is
  });

  test("bounds memory as the commands of the package do", () => {
    const said = /^ENV NODE_OPTIONS=(\S+) MALLOC_ARENA_MAX=(\S+)$/m.exec(text("Dockerfile"))!;
    const command = text("bin/authfleet.js");
    expect(/nodeOptions = \["(\S+)"\]/.exec(command)?.[1]).toBe(said[1]);
    expect(/MALLOC_ARENA_MAX \?\?= "(\S+)"/.exec(command)?.[1]).toBe(said[2]);
  });

  test("is run as that user by compose, but for what makes the secrets, which gives them to it", () => {
    interface Service {
      build?: string;
      user?: string;
      network_mode?: string;
      command?: string[];
    }
    const { services } = parse(text("docker-compose.yml"), { merge: true }) as { services: Record<string, Service> };
    const ours = Object.entries(services).filter(([, { build }]) => build === ".");
    expect(ours.length).toBeGreaterThan(5);
    const others = ours.filter(([, { user }]) => user !== undefined);
    expect(others.map(([name, { network_mode }]) => [name, network_mode])).toEqual([["secrets", "none"]]);
    expect(String(others[0]![1].command)).toMatch(/^\s*chown -R 1000:1000 fleet operator\b/m);
  });
});

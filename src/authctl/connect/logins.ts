// Where `authctl login` stores its session: one file for each fleet in $XDG_STATE_HOME/authfleet (default
// ~/.local/state/authfleet), readable by its owner alone, replaced as a whole. It holds tokens in clear, as the files
// of ssh and other clients do: whoever reads it can act as that administrator until the session ends.
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { Config, Environment } from "../../config/read.ts";

const form = z.object({
  /** Which fleet it is for, for people who read the file. */
  fleet: z.string(),
  login: z.string(),
  userId: z.number(),
  sessionId: z.string(),
  accessToken: z.string(),
  /** Unix ms. */
  accessExpiresAt: z.number(),
  refreshToken: z.string(),
  refreshExpiresAt: z.number(),
});

export type Login = z.infer<typeof form>;

export interface LoginFile {
  /** undefined where nobody is logged in, or the file is not one of ours. */
  read(): Login | undefined;
  write(login: Omit<Login, "fleet">): void;
  remove(): void;
}

export function loginFile(env: Environment, config: Config): LoginFile {
  const fleet = fleetKey(config);
  const state = env["XDG_STATE_HOME"] || join(env["HOME"] || homedir(), ".local", "state");
  const folder = join(state, "authfleet");
  const path = join(folder, `login-${createHash("sha256").update(fleet).digest("hex").slice(0, 16)}.json`);
  return {
    read() {
      try {
        return form.safeParse(JSON.parse(readFileSync(path, "utf8"))).data;
      } catch {
        return undefined;
      }
    },
    write(login) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const fresh = `${path}.${process.pid}`;
      writeFileSync(fresh, JSON.stringify({ fleet, ...login }), { mode: 0o600 });
      chmodSync(fresh, 0o600); // where one of that name was left behind
      renameSync(fresh, path);
    },
    remove: () => rmSync(path, { force: true }),
  };
}

function fleetKey({
  AUTH_KAFKA_BROKERS: brokers = [],
  AUTH_TOPIC_PREFIX: prefix,
  AUTH_ISSUER: issuer,
}: Config): string {
  return [issuer, [...brokers].sort().join(","), prefix].join(" ");
}

// What the process gives to the commands it runs.
import type { Lanes } from "../bus/command.ts";
import type { DeviceTokens } from "../crypto/device-token.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import type { Keyring } from "../crypto/keys.ts";
import type { PasswordPolicy } from "../crypto/password-policy.ts";
import type { Passwords } from "../crypto/passwords.ts";
import type { Tokens } from "../crypto/tokens.ts";
import type { DatabasePool } from "../db/pool.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../runtime/log.ts";
import type { Denials } from "./admin/denials.ts";
import type { AttemptDeps } from "./attempts.ts";
import type { Proof, Settings } from "./context.ts";
import type { UseDeps } from "./uses.ts";

export interface RunDeps {
  pool: DatabasePool;
  lanes: Lanes;
  passwords: Passwords;
  policy: PasswordPolicy;
  tokens: Tokens;
  keyring(): Keyring;
  dataKeys(): DataKeys;
  devices: DeviceTokens;
  /** Loads the keys again. */
  reloadKeys(): Promise<void>;
  settings: Settings;
  attempted: AttemptDeps["attempted"];
  /** Counts accounts that were confirmed. */
  confirmed(proof: Proof): void;
  limited: UseDeps["limited"];
  clientUnknown: UseDeps["clientUnknown"];
  denials: Denials;
  idempotencyTtlMs: number;
  clock: Clock;
  log: Logger;
  /** Called after every commit. */
  committed(): void;
}

// The operator who acts: AUTH_OPERATOR_KEY_FILE names the file with their private key, which nobody else may read, and
// authctl signs a token of 60 s with it for each command. The fleet stores the public half; neither the database nor
// the master key is needed.
import { readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { ConfigFault } from "../../config/read.ts";
import { isOperatorName, operatorOfKey, signerFrom, signOperatorToken } from "../../crypto/operators.ts";
import { systemClock } from "../../lib/clock.ts";
import { asError } from "../../lib/errors.ts";
import { type Invocation, textOption } from "../command.ts";
import { UsageFault } from "../faults.ts";
import type { FleetTarget } from "./target.ts";

/** A new operator token. */
export type SignOperator = () => Promise<string>;

/** The actor where no token is signed: --as NAME, else the name of the system's user. @throws UsageFault */
export function operatorName(call: Invocation): string {
  return (
    asOption(call) ??
    systemName()
      .replace(/[^A-Za-z0-9._@-]/g, "_")
      .slice(0, 64)
  );
}

/** --as NAME. @throws UsageFault */
export function asOption(call: Invocation): string | undefined {
  const given = textOption(call, "as");
  if (given !== undefined && !isOperatorName(given))
    throw new UsageFault("--as takes 1 to 64 letters, digits or . _ @ -");
  return given;
}

/** A container's user often has a number only. */
function systemName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 0}`;
  }
}

const lacking =
  "AUTH_OPERATOR_KEY_FILE is not set, and nobody is logged in: do authctl login as an administrator, or name the file with your operator's key; the first operator is enrolled by authctl operators add NAME --first";

/** Signs as --as NAME, else as the operator that the key's file names. @throws ConfigFault, UsageFault */
export async function operatorSigner({ config }: FleetTarget, call: Invocation): Promise<SignOperator> {
  const file = config.AUTH_OPERATOR_KEY_FILE;
  const given = asOption(call);
  if (file === undefined) throw new ConfigFault([lacking]);
  const text = readKeyFile(file);
  try {
    const signer = await signerFrom(text);
    const name = given ?? operatorOfKey(text);
    if (name === undefined) throw new Error("does not say whose key it is: say --as NAME");
    if (!isOperatorName(name)) throw new Error("names an operator by other characters than letters, digits or . _ @ -");
    return async () => signOperatorToken(signer, { name, issuer: config.AUTH_ISSUER, now: systemClock.now() });
  } catch (error) {
    throw new ConfigFault([`AUTH_OPERATOR_KEY_FILE: ${file} ${asError(error).message}`]);
  }
}

/** A key that others may read is no longer the operator's alone. @throws ConfigFault */
function readKeyFile(file: string): string {
  try {
    const mode = statSync(file).mode & 0o777;
    if ((mode & ~0o600) === 0) return readFileSync(file, "utf8");
    const octal = mode.toString(8).padStart(4, "0");
    throw new ConfigFault([`AUTH_OPERATOR_KEY_FILE: ${file} has mode ${octal}, and must have 0600: chmod 600 ${file}`]);
  } catch (error) {
    if (error instanceof ConfigFault) throw error;
    throw new ConfigFault([`AUTH_OPERATOR_KEY_FILE cannot be read: ${asError(error).message}`]);
  }
}

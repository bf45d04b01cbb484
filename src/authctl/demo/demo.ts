// authctl demo: the life of an account through Kafka, each step with its latency. The steps are in journey.ts; here
// they get their clients. It shows that a fleet works end to end. It is no benchmark: the steps run one after the
// other, most of them for the first time.
import { systemClock } from "../../lib/clock.ts";
import { type CommandResult, type Invocation, textOption } from "../command.ts";
import type { Fleet } from "../connect/fleet.ts";
import { asOption, operatorSigner } from "../connect/operator.ts";
import { type FleetTarget, findTarget } from "../connect/target.ts";
import { watchConfirmations } from "./confirmation.ts";
import { journey, newAccount } from "./journey.ts";
import { makeSteps, type Steps, Unexpected } from "./steps.ts";

const shownAtEnd =
  "signing up with a confirmation, logging in, rotating refresh tokens, refused attempts, {role}logging out with effect at once";

export async function demo(call: Invocation): Promise<CommandResult> {
  asOption(call);
  const target = findTarget(call.env);
  const clock = systemClock;
  const steps = makeSteps({ clock, say: call.say, paint: call.terminal.paint });
  const begun = clock.monotonic();
  const failure = await play(call, { target, steps });
  const ms = Math.round(clock.monotonic() - begun);
  return failure === undefined ? success(steps, ms) : failed(call, { steps, failure });
}

interface DemoClients {
  target: FleetTarget;
  steps: Steps;
}

/** @returns why the demo failed, if it did */
async function play(call: Invocation, { target, steps }: DemoClients): Promise<string | undefined> {
  const named = target.config.AUTH_OPERATOR_KEY_FILE !== undefined || textOption(call, "as") !== undefined;
  const sign = named ? await operatorSigner(target, call) : undefined;
  try {
    await call.reach(target, async (fleet) => {
      const confirmations = await requireConfirmations(fleet);
      const grace = fleet.config.AUTH_REFRESH_GRACE > 0;
      await journey({ client: fleet.client, steps, confirmations, sign, grace }, newAccount());
    });
    return undefined;
  } catch (error) {
    if (error instanceof Unexpected) return error.message;
    throw error;
  }
}

async function requireConfirmations({ config, kafka }: Fleet) {
  const confirmations = config.AUTH_LEGACY_TOPICS ? await watchConfirmations(kafka) : undefined;
  if (confirmations !== undefined) return confirmations;
  throw new Unexpected(
    "Legacy topics are off (AUTH_LEGACY_TOPICS), so the confirmation token goes sealed to the mailer alone, and the demo cannot confirm.",
  );
}

function success({ done }: Steps, ms: number): CommandResult {
  const withRole = done.some(({ topic }) => topic === "auth.admin.set-roles");
  const shown = shownAtEnd.replace("{role}", withRole ? "a role given and taken, " : "");
  return {
    document: { ok: true, ms, steps: done },
    lines: ["", `${done.length} steps in ${(ms / 1000).toFixed(1)} s, connecting included. Shown: ${shown}.`],
  };
}

function failed({ terminal }: Invocation, { steps, failure }: { steps: Steps; failure: string }): CommandResult {
  const document = { ok: false, failure, steps: steps.done };
  return { document, lines: ["", `${terminal.paint("red", "The demo failed.")} ${failure}`], failed: true };
}
